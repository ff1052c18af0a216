//! Metrics for Prometheus. The recorder belongs to the server and is not the process's, so that two servers in one
//! process count apart.

use crate::health::Report;
use axum::http::{Method, StatusCode};
use metrics::{counter, gauge, histogram, with_local_recorder};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use spalla_domain::event::{Event, Fact};
use spalla_domain::{EventSeq, run};
use spalla_store::view::Depths;
use std::fmt;
use std::time::Duration;

/// The upper bounds of the latency histogram, in seconds: from a read in memory to a long poll.
const LATENCY_BUCKETS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 10.0, 60.0];
const LATENCY: &str = "spalla_http_request_duration_seconds";

/// Counts what happens.
pub(crate) struct Meters {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
}

impl fmt::Debug for Meters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Meters")
    }
}

impl Meters {
    /// Makes meters that stand at zero.
    pub(crate) fn new(version: &str) -> Self {
        let matcher = Matcher::Full(LATENCY.to_owned());
        let builder =
            PrometheusBuilder::new().set_buckets_for_metric(matcher, &LATENCY_BUCKETS).unwrap_or_default();
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        let meters = Self { recorder, handle };
        with_local_recorder(&meters.recorder, || {
            describe();
            gauge!("spalla_build_info", "version" => version.to_owned()).set(1.0);
            counter!("spalla_http_rate_limited_total").absolute(0);
            counter!("spalla_events_total").absolute(0);
            for outcome in run::Status::ALL.into_iter().filter(|status| is_end(*status)) {
                counter!("spalla_runs_ended_total", "outcome" => outcome.as_str()).absolute(0);
            }
        });
        meters
    }

    /// Counts an answer; `route` is the template of the path, so that ids make no new series.
    pub(crate) fn answered(&self, method: &Method, route: &str, status: StatusCode, took: Duration) {
        let labels = [
            ("method", method_name(method).to_owned()),
            ("route", route.to_owned()),
            ("status", status.as_str().to_owned()),
        ];
        with_local_recorder(&self.recorder, || {
            counter!("spalla_http_requests_total", &labels).increment(1);
            histogram!(LATENCY, &labels[..2]).record(took.as_secs_f64());
        });
    }

    /// Counts facts.
    pub(crate) fn happened(&self, events: &[Event]) {
        with_local_recorder(&self.recorder, || {
            for outcome in events.iter().filter_map(|event| outcome(&event.fact)) {
                counter!("spalla_runs_ended_total", "outcome" => outcome.as_str()).increment(1);
            }
            counter!("spalla_events_total").increment(events.len() as u64);
        });
    }

    /// Does what keeps the recorder small between two looks at it.
    pub(crate) fn upkeep(&self) {
        self.handle.run_upkeep();
    }

    /// Counts a request that was refused because its client had made too many.
    pub(crate) fn limited(&self) {
        with_local_recorder(&self.recorder, || counter!("spalla_http_rate_limited_total").increment(1));
    }

    /// Writes everything out, with what is measured only when somebody looks.
    pub(crate) fn render(&self, gauges: &Gauges) -> String {
        with_local_recorder(&self.recorder, || {
            let depths = gauges.depths;
            let entries = [("ready", depths.ready), ("delayed", depths.delayed), ("blocked", depths.blocked)];
            for (state, n) in entries {
                gauge!("spalla_queue_entries", "state" => state).set(n as f64);
            }
            for (status, n) in [("pending", depths.pending), ("running", depths.running)] {
                gauge!("spalla_runs_live", "status" => status).set(n as f64);
            }
            gauge!("spalla_events_newest_id").set(gauges.newest.0 as f64);
            gauge!("spalla_streams").set(gauges.streams as f64);
            gauge!("spalla_connections").set(gauges.connections as f64);
            gauge!("spalla_uptime_seconds").set(gauges.uptime.as_secs_f64());
            for report in &gauges.checks {
                let healthy = if report.error.is_none() { 1.0 } else { 0.0 };
                gauge!("spalla_health_check_healthy", "check" => report.name.clone()).set(healthy);
                gauge!("spalla_health_check_duration_seconds", "check" => report.name.clone())
                    .set(report.took.as_secs_f64());
            }
        });
        self.handle.render()
    }
}

/// What is measured only when somebody looks.
#[derive(Debug)]
pub(crate) struct Gauges {
    /// How many there are of what.
    pub(crate) depths: Depths,
    /// The number of the newest event.
    pub(crate) newest: EventSeq,
    /// Open streams.
    pub(crate) streams: usize,
    /// Open connections.
    pub(crate) connections: usize,
    /// How long the server has been up.
    pub(crate) uptime: Duration,
    /// What the checks found.
    pub(crate) checks: Vec<Report>,
}

fn describe() {
    use metrics::{describe_counter, describe_gauge, describe_histogram};
    describe_counter!("spalla_http_requests_total", "Answered requests by method, route and status.");
    describe_histogram!(LATENCY, "Time from a request's head to its answer's head, in seconds.");
    describe_counter!("spalla_runs_ended_total", "Runs that ended, by outcome, since this server started.");
    describe_counter!("spalla_events_total", "Events seen since this server started.");
    describe_gauge!("spalla_queue_entries", "Work items in the queue: ready, delayed, blocked.");
    describe_gauge!("spalla_runs_live", "Runs that are not over: pending (held by nobody) and running.");
    describe_gauge!("spalla_events_newest_id", "The number of the newest event.");
    describe_gauge!("spalla_streams", "Open streams of events and of logs.");
    describe_gauge!("spalla_connections", "Open connections.");
    describe_counter!(
        "spalla_http_rate_limited_total",
        "Requests refused because their client had made too many."
    );
    describe_gauge!("spalla_uptime_seconds", "How long this server has been up.");
    describe_gauge!("spalla_health_check_healthy", "Whether a health check found its object well: 1 or 0.");
    describe_gauge!("spalla_health_check_duration_seconds", "How long a health check's last look took.");
    describe_gauge!("spalla_build_info", "Always 1; the label says the version.");
}

const fn outcome(fact: &Fact) -> Option<run::Status> {
    match fact {
        Fact::RunSucceeded { .. } => Some(run::Status::Succeeded),
        Fact::RunFailed { .. } => Some(run::Status::Failed),
        Fact::RunCancelled {} => Some(run::Status::Cancelled),
        Fact::RunLost { .. } => Some(run::Status::Lost),
        _ => None,
    }
}

const fn is_end(status: run::Status) -> bool {
    !matches!(status, run::Status::Pending | run::Status::Running)
}

/// Names the methods that there are; a client may send any word.
fn method_name(method: &Method) -> &str {
    match method.as_str() {
        name @ ("GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS") => name,
        _ => "other",
    }
}
