//! Sends the traces of runs that ended to a collector: OTLP over HTTP, as JSON. A run's spans have the same ids wherever
//! they are worked out, so that what its steps send under `TRACEPARENT` hangs together with them.

use crate::failure::{Failure, Result};
use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanExporter as _, SpanLinks};
use spalla_domain::event::{Event, Fact};
use spalla_domain::trace::{Life, Part, Span, span_id};
use spalla_domain::{RunId, Timestamp, run};
use spalla_store::Store;
use spalla_store::view::RunView;
use std::time::{Duration, SystemTime};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

/// Where a collector takes traces, beneath its address.
const PATH: &str = "/v1/traces";
/// How long a collector may take; behind it the next runs wait.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Sends traces.
#[derive(Debug)]
pub(crate) struct Traces {
    exporter: SpanExporter,
}

impl Traces {
    /// Makes it for the collector at an address.
    pub(crate) fn to(endpoint: &str) -> Result<Self> {
        let endpoint = endpoint.trim_end_matches('/');
        let endpoint = format!("{}{PATH}", endpoint.strip_suffix(PATH).unwrap_or(endpoint));
        let exporter = SpanExporter::builder().with_http().with_endpoint(&endpoint);
        let exporter = exporter.with_protocol(Protocol::HttpJson).with_timeout(TIMEOUT).build();
        let mut exporter = exporter.map_err(|error| {
            Failure::usage(format!("traces can't be sent to {endpoint}: {error}"))
                .mend("mend otlp_endpoint (OTEL_EXPORTER_OTLP_ENDPOINT)")
        })?;
        let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        let resource = Resource::builder_empty().with_service_name("spalla").with_attribute(version);
        exporter.set_resource(&resource.build());
        Ok(Self { exporter })
    }

    /// Sends each run that ends through this server, until it is to leave.
    pub(crate) async fn follow(self, store: Store, leave: CancellationToken) -> Result<()> {
        let mut commits = store.committed();
        let mut is_well = true;
        loop {
            let committed = tokio::select! {
                () = leave.cancelled() => return Ok(()),
                committed = commits.recv() => committed,
            };
            let ended: Vec<RunId> = match committed {
                Ok(committed) => committed.events.iter().filter_map(ended).collect(),
                Err(RecvError::Lagged(commits)) => {
                    tracing::warn!(
                        commits,
                        "the collector is too slow: the traces of some runs are not sent"
                    );
                    continue;
                }
                Err(RecvError::Closed) => return Ok(()),
            };
            let spans = spans_of(&store, &ended).await;
            if spans.is_empty() {
                continue;
            }
            let sent = self.exporter.export(spans).await;
            if let (Err(error), true) = (&sent, is_well) {
                tracing::warn!(%error, "traces could not be sent to the collector");
            }
            is_well = sent.is_ok();
        }
    }
}

fn ended(event: &Event) -> Option<RunId> {
    let is_end = matches!(
        event.fact,
        Fact::RunSucceeded { .. } | Fact::RunFailed { .. } | Fact::RunCancelled {} | Fact::RunLost { .. }
    );
    event.run_id.filter(|_| is_end)
}

async fn spans_of(store: &Store, runs: &[RunId]) -> Vec<SpanData> {
    let mut spans = vec![];
    for id in runs {
        match store.read().run(*id).await {
            Ok(run) => spans.extend(run.iter().flat_map(spans_of_run)),
            Err(error) => tracing::warn!(run = id.0, %error, "the trace of a run can't be read"),
        }
    }
    spans
}

fn spans_of_run(run: &RunView) -> Vec<SpanData> {
    let RunView { created_at, started_at, ended_at, .. } = *run;
    let result = run.result.as_ref().map(|result| result.get());
    let spans = Life { created_at, started_at, ended_at, result }.spans();
    spans.into_iter().filter_map(|span| span_data(run, span)).collect()
}

/// Returns a span as it is sent; none while it lasts.
fn span_data(run: &RunView, span: Span) -> Option<SpanData> {
    let id = |part| SpanId::from_hex(&span_id(&run.trace_id, part)).ok();
    let trace_id = TraceId::from_hex(&run.trace_id).ok()?;
    let context =
        SpanContext::new(trace_id, id(span.part)?, TraceFlags::SAMPLED, false, TraceState::default());
    let mut attributes = vec![
        KeyValue::new("spalla.run_id", run.id.0),
        KeyValue::new("spalla.work_item_id", run.work_item_id.0),
        KeyValue::new("spalla.project_id", run.project_id.0),
    ];
    match span.part {
        Part::Run => attributes.extend([
            KeyValue::new("spalla.title", run.title.clone()),
            KeyValue::new("spalla.status", run.status.as_str()),
            KeyValue::new("spalla.attempt", i64::from(run.attempt)),
        ]),
        Part::Step(number) => attributes.push(KeyValue::new("spalla.step", i64::from(number))),
        Part::Waiting | Part::Executing => {}
    }
    Some(SpanData {
        span_context: context,
        parent_span_id: span.part.parent().and_then(id).unwrap_or(SpanId::INVALID),
        parent_span_is_remote: false,
        span_kind: SpanKind::Internal,
        name: span.part.as_str().into(),
        start_time: moment(span.started_at),
        end_time: moment(span.ended_at?),
        attributes,
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: status(run, span.part),
        instrumentation_scope: InstrumentationScope::builder("spalla").build(),
    })
}

fn status(run: &RunView, part: Part) -> Status {
    match (part, run.status) {
        (Part::Waiting | Part::Step(_), _) => Status::Unset,
        (_, run::Status::Succeeded) => Status::Ok,
        (_, status) => match &run.error {
            Some(error) => Status::error(error.message.clone()),
            None => Status::error(status.as_str()),
        },
    }
}

fn moment(at: Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(at.ms().max(0).unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{SystemClock, SystemRandomness};
    use serde_json::{Value, json};
    use spalla_domain::claim::{ClaimRequest, Completion, Exchange};
    use spalla_domain::project::NewProject;
    use spalla_domain::work_item::{NewWorkItem, Spec};
    use spalla_domain::{ProjectId, WorkerId};
    use spalla_store::{Command, Location, Memory, Reply, Settings};
    use std::sync::Arc;
    use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
    use tokio::net::TcpListener;

    /// Takes one request in, and returns its path and its body.
    async fn collect(listener: TcpListener) -> (String, Value) {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut reader = BufReader::new(&mut stream);
        let (mut head, mut length) = (String::new(), 0);
        while !head.ends_with("\r\n\r\n") {
            let start = head.len();
            reader.read_line(&mut head).await.unwrap();
            let line = head[start..].to_lowercase();
            length = line.strip_prefix("content-length:").map_or(length, |n| n.trim().parse().unwrap());
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).await.unwrap();
        let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
        stream.write_all(answer.as_bytes()).await.unwrap();
        (head.split(' ').nth(1).unwrap().to_owned(), serde_json::from_slice(&body).unwrap())
    }

    async fn store() -> Store {
        let options = spalla_store::Options {
            location: Location::Memory(Memory::default()),
            settings: Settings::default(),
            clock: Arc::new(SystemClock),
            randomness: Arc::new(SystemRandomness),
            gate: None,
        };
        Store::open(options).await.unwrap()
    }

    /// Takes one run from its making to its failure.
    async fn run(store: &Store) -> RunId {
        let project = NewProject { name: "p".into(), description: None, repository: None, limits: None };
        store.execute(Command::CreateProject(project)).await.unwrap();
        let item = NewWorkItem { project_id: ProjectId(1), spec: Spec::new("build"), depends_on: vec![] };
        let items = vec![item.into()];
        store.execute(Command::CreateWorkItems { items, enqueue: true }).await.unwrap();
        let worker_id = WorkerId::new("w").unwrap();
        let claim = ClaimRequest {
            worker_id,
            max: 1,
            ttl_ms: 60_000,
            executors: vec![],
            labels: vec![],
            resources: None,
        };
        let Reply::Claimed(runs) = store.execute(Command::Claim(claim.clone())).await.unwrap() else {
            panic!()
        };
        let step = json!({"steps": [{"started_at": "2026-01-01T00:00:00Z", "duration_ms": 1500}]});
        let completed = vec![Completion {
            run_id: runs[0].run_id,
            fencing_token: runs[0].fencing_token,
            success: false,
            exit_code: Some(1),
            result: Some(serde_json::value::to_raw_value(&step).unwrap()),
            usage: None,
            error: None,
            sandbox: None,
        }];
        let claim = ClaimRequest { max: 0, ..claim };
        let exchange = Exchange { completed, heartbeats: vec![], claim };
        store.execute(Command::Exchange(exchange)).await.unwrap();
        runs[0].run_id
    }

    #[tokio::test]
    async fn a_run_that_ended_is_sent_as_spans_that_hang_together() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let traces = Traces::to(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
        let (store, leave) = (store().await, CancellationToken::new());
        let sending = traces.follow(store.clone(), leave.clone());
        let ((), (id, (path, sent))) = tokio::join!(async { sending.await.unwrap() }, async {
            // It listens once it was polled for the first time.
            tokio::task::yield_now().await;
            let sent = tokio::join!(run(&store), collect(listener));
            leave.cancel();
            sent
        });
        assert_eq!(path, "/v1/traces");
        let view = store.read().run(id).await.unwrap().unwrap();
        let sent = &sent["resourceSpans"][0];
        let service = json!({"key": "service.name", "value": {"stringValue": "spalla"}});
        assert!(sent["resource"]["attributes"].as_array().unwrap().contains(&service), "{sent}");
        let spans = sent["scopeSpans"][0]["spans"].as_array().unwrap();
        let names: Vec<&str> = spans.iter().map(|span| span["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["run", "waiting", "executing", "step"]);
        assert!(spans.iter().all(|span| span["traceId"] == view.trace_id), "{sent}");
        for (span, parent) in [(1, 0), (2, 0), (3, 2)] {
            assert_eq!(spans[span]["parentSpanId"], spans[parent]["spanId"], "{sent}");
        }
        let end: u64 = spans[3]["endTimeUnixNano"].as_str().unwrap().parse().unwrap();
        let start: u64 = spans[3]["startTimeUnixNano"].as_str().unwrap().parse().unwrap();
        assert_eq!(end - start, 1_500_000_000);
        assert_eq!(spans[0]["status"]["code"], 2, "{sent}");
    }
}
