//! The claim protocol over HTTP: JSON both ways, log lines as one JSON object per line.

mod events;
#[cfg(test)]
mod fuzz;
mod grant;

use super::{Coordinator, CoordinatorError, Grant};
use crate::artifact::ArtifactFile;
use crate::questions::Answer;
use futures_util::future::BoxFuture;
use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Body, Client, RequestBuilder, Response, StatusCode, Url};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use spalla_crash::crash_point;
use spalla_domain::claim::{Completion, Exchange, ExchangeReply, Heartbeat, LogBatch};
use spalla_domain::found_command::{self, FoundCommand};
use spalla_domain::info_request::{InfoField, Status};
use spalla_domain::refused_host::RefusedHost;
use spalla_domain::resources::{Capacity, Named};
use spalla_domain::run_event::RunEvent;
use spalla_domain::secret::Secret;
use spalla_domain::work_item::Executor;
use spalla_domain::{InfoRequestId, RunId, WorkerId};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How long a connection may take, in milliseconds.
const CONNECT_MS: u64 = 5_000;
/// How long an answer may take beyond what the server was asked to wait, in milliseconds.
const ANSWER_MS: u64 = 30_000;
/// How long it may take to send a file, in milliseconds: as long as the server waits for one.
const FILE_MS: u64 = 600_000;
/// The most of what a server says instead of an answer that is shown, in characters.
const SHOWN_CHARS: usize = 1_000;

/// Speaks to a server by its address.
#[derive(Debug, Clone)]
pub struct HttpCoordinator {
    client: Client,
    base: Url,
    token: Option<String>,
    agent_secret: Option<Arc<Secret>>,
}

/// Why there is no coordinator.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The address is none.
    #[error("the server's address {url:?} is no http URL: {reason}")]
    Address {
        /// What was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The client could not be made.
    #[error("making the HTTP client")]
    Client(#[source] reqwest::Error),
}

impl HttpCoordinator {
    /// Makes a coordinator for the server at `url`; the token goes with every call.
    pub fn new(url: &str, token: Option<String>) -> Result<Self, HttpError> {
        let wrong = |reason: String| HttpError::Address { url: url.to_owned(), reason };
        let base =
            Url::parse(&format!("{}/", url.trim_end_matches('/'))).map_err(|e| wrong(e.to_string()))?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(wrong(format!("its scheme is {}", base.scheme())));
        }
        let client = Client::builder()
            .connect_timeout(Duration::from_millis(CONNECT_MS))
            .build()
            .map_err(HttpError::Client)?;
        Ok(Self { client, base, token, agent_secret: None })
    }

    /// Bears the secret that lets it read what a person answered.
    #[must_use]
    pub fn with_agent_secret(self, secret: Option<Secret>) -> Self {
        Self { agent_secret: secret.map(Arc::new), ..self }
    }

    async fn send_question(
        &self,
        run: Heartbeat,
        reason: String,
        fields: Vec<InfoField>,
    ) -> Result<InfoRequestId, CoordinatorError> {
        #[derive(Deserialize)]
        struct Asked {
            id: InfoRequestId,
        }
        let body = json(&serde_json::json!({ "reason": reason, "fields": fields }))?;
        let request = self.post(&run_path(run.run_id, "info-requests"))?;
        let request = request.header("X-Fencing-Token", run.fencing_token.to_string());
        let response = send(request.header(CONTENT_TYPE, "application/json").body(body)).await?;
        Ok(read::<Asked>(response, "a question").await?.id)
    }

    async fn fetch_answer(
        &self,
        run: Heartbeat,
        id: InfoRequestId,
    ) -> Result<Option<Answer>, CoordinatorError> {
        #[derive(Deserialize)]
        struct Shown {
            status: Status,
            #[serde(default)]
            values: Option<BTreeMap<String, String>>,
        }
        // Values are asked for from the first look on: a worker that may not read them hears so before a person answers.
        let mut request = self.get(&format!("work-items/runs/info-requests/{id}?reveal=true"))?;
        request = request.header("X-Fencing-Token", run.fencing_token.to_string());
        if let Some(secret) = &self.agent_secret {
            let secret = HeaderValue::from_bytes(secret.expose())
                .map_err(|_| rejected(0, "AGENT_SECRET_KEY holds what no header can".to_owned()))?;
            request = request.header("X-Agent-Secret", secret);
        }
        let shown: Shown = read(send(request).await?, "an answer").await?;
        match shown.status {
            Status::Pending => return Ok(None),
            Status::Answered => {}
            Status::Cancelled => {
                let detail = format!("info request {id} was cancelled");
                return Err(CoordinatorError::Refused { code: "info_request_closed".into(), detail });
            }
        }
        let values = shown.values.unwrap_or_default();
        Ok(Some(values.into_iter().map(|(name, value)| (name, Secret::from(value))).collect()))
    }

    async fn send_file(&self, run: Heartbeat, file: ArtifactFile) -> Result<(), CoordinatorError> {
        let mut url = self.base.clone();
        let segments = url.path_segments_mut().map(|mut segments| {
            let run = run.run_id.to_string();
            segments.pop_if_empty().extend(["work-items", "runs", &run, "artifacts"]);
            segments.extend(file.path().as_str().split('/'));
        });
        segments.map_err(|()| rejected(0, "the server's address takes no path".to_owned()))?;
        let request = self.client.put(url).timeout(Duration::from_millis(FILE_MS));
        let request = match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let request = request.header("X-Fencing-Token", run.fencing_token.to_string());
        send(request.body(Body::wrap_stream(file.pieces()))).await.map(drop)
    }

    fn get(&self, path: &str) -> Result<RequestBuilder, CoordinatorError> {
        let url = self.base.join(path).map_err(|error| rejected(0, format!("{path}: {error}")))?;
        let request = self.client.get(url).timeout(Duration::from_millis(ANSWER_MS));
        Ok(match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        })
    }

    fn post(&self, path: &str) -> Result<RequestBuilder, CoordinatorError> {
        let url = self.base.join(path).map_err(|error| rejected(0, format!("{path}: {error}")))?;
        let request = self.client.post(url).timeout(Duration::from_millis(ANSWER_MS));
        Ok(match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        })
    }

    async fn send_exchange(
        &self,
        exchange: Exchange,
        wait_ms: i64,
    ) -> Result<ExchangeReply, CoordinatorError> {
        let body = json(&ExchangeBody::new(&exchange, wait_ms))?;
        let wait = Duration::from_millis(wait_ms.max(0).unsigned_abs() + ANSWER_MS);
        let request = self.post("scheduler/exchange")?.timeout(wait);
        let response = send(request.header(CONTENT_TYPE, "application/json").body(body)).await?;
        read(response, "an exchange").await
    }

    async fn send_logs(&self, batch: LogBatch) -> Result<(), CoordinatorError> {
        let mut body = Vec::new();
        for line in &batch.lines {
            body.extend(json(line)?);
            body.push(b'\n');
        }
        let mut request = self
            .post(&run_path(batch.run_id, "logs"))?
            .header(CONTENT_TYPE, "application/x-ndjson")
            .header("X-Fencing-Token", batch.fencing_token.to_string());
        if let Some(seq) = batch.first_seq {
            request = request.header("X-First-Seq", seq.to_string());
        }
        send(request.body(body)).await.map(drop)
    }

    async fn send_commands(
        &self,
        run: Heartbeat,
        worker: WorkerId,
        found: Vec<FoundCommand>,
    ) -> Result<found_command::Answer, CoordinatorError> {
        let body = json(&serde_json::json!({
            "worker_id": worker, "fencing_token": run.fencing_token, "commands": found,
        }))?;
        let request = self.post(&run_path(run.run_id, "commands"))?;
        let response = send(request.header(CONTENT_TYPE, "application/json").body(body)).await?;
        read(response, "an answer to what the command policy found").await
    }

    async fn release(&self, run: Heartbeat) -> Result<(), CoordinatorError> {
        let body = json(&serde_json::json!({ "fencing_token": run.fencing_token }))?;
        let request = self.post(&run_path(run.run_id, "release"))?;
        send(request.header(CONTENT_TYPE, "application/json").body(body)).await.map(drop)
    }
}

impl Coordinator for HttpCoordinator {
    fn exchange(
        &self,
        exchange: Exchange,
        wait_ms: i64,
    ) -> BoxFuture<'_, Result<ExchangeReply, CoordinatorError>> {
        Box::pin(self.send_exchange(exchange, wait_ms))
    }

    fn append_logs(&self, batch: LogBatch) -> BoxFuture<'_, Result<(), CoordinatorError>> {
        Box::pin(self.send_logs(batch))
    }

    fn tick(&self) -> BoxFuture<'_, Result<(), CoordinatorError>> {
        Box::pin(async move {
            let request = self.post("scheduler/tick?if_needed=true")?;
            send(request.header(CONTENT_TYPE, "application/json").body("{}")).await.map(drop)
        })
    }

    fn report_commands(
        &self,
        run: Heartbeat,
        worker: WorkerId,
        found: Vec<FoundCommand>,
    ) -> BoxFuture<'_, Result<found_command::Answer, CoordinatorError>> {
        Box::pin(self.send_commands(run, worker, found))
    }

    fn report_refused_hosts(
        &self,
        run: Heartbeat,
        hosts: Vec<RefusedHost>,
    ) -> BoxFuture<'_, Result<(), CoordinatorError>> {
        Box::pin(async move {
            let report = serde_json::json!({ "fencing_token": run.fencing_token, "hosts": hosts });
            let request = self.post(&run_path(run.run_id, "refused-hosts"))?;
            send(request.header(CONTENT_TYPE, "application/json").body(json(&report)?)).await.map(drop)
        })
    }

    fn grant(&self, run: Heartbeat) -> BoxFuture<'_, Result<Option<Grant>, CoordinatorError>> {
        Box::pin(self.fetch_grant(run))
    }

    fn tell_events(
        &self,
        run: Heartbeat,
        events: Vec<RunEvent>,
    ) -> BoxFuture<'_, Result<(), CoordinatorError>> {
        Box::pin(self.send_events(run, events))
    }

    fn keep_artifact(
        &self,
        run: Heartbeat,
        file: ArtifactFile,
    ) -> BoxFuture<'_, Result<(), CoordinatorError>> {
        Box::pin(self.send_file(run, file))
    }

    fn ask(
        &self,
        run: Heartbeat,
        reason: String,
        fields: Vec<InfoField>,
    ) -> BoxFuture<'_, Result<InfoRequestId, CoordinatorError>> {
        Box::pin(self.send_question(run, reason, fields))
    }

    fn answer(
        &self,
        run: Heartbeat,
        id: InfoRequestId,
    ) -> BoxFuture<'_, Result<Option<Answer>, CoordinatorError>> {
        Box::pin(self.fetch_answer(run, id))
    }

    fn hand_back(&self, runs: Vec<Heartbeat>) -> BoxFuture<'_, Result<(), CoordinatorError>> {
        Box::pin(async move {
            let mut outcome = Ok(());
            for run in runs {
                // A run that is not ours any more needs no handing back; the others still do.
                match self.release(run).await {
                    Ok(()) | Err(CoordinatorError::Refused { .. }) => {}
                    Err(error) => outcome = Err(error),
                }
            }
            outcome
        })
    }
}

/// An exchange on the wire.
#[derive(Serialize)]
struct ExchangeBody<'a> {
    worker_id: &'a str,
    completed: &'a [Completion],
    heartbeats: &'a [Heartbeat],
    max: u32,
    wait_seconds: Seconds,
    ttl_seconds: Seconds,
    executors: &'a [Executor],
    labels: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    resources: Option<Named>,
}

/// Whole seconds are written without a point.
#[derive(Serialize)]
#[serde(untagged)]
enum Seconds {
    Whole(i64),
    Parts(f64),
}

impl Seconds {
    fn of(ms: i64) -> Self {
        if ms % 1_000 == 0 { Self::Whole(ms / 1_000) } else { Self::Parts(ms as f64 / 1e3) }
    }
}

impl<'a> ExchangeBody<'a> {
    fn new(exchange: &'a Exchange, wait_ms: i64) -> Self {
        Self {
            worker_id: exchange.claim.worker_id.as_str(),
            completed: &exchange.completed,
            heartbeats: &exchange.heartbeats,
            max: exchange.claim.max,
            wait_seconds: Seconds::of(wait_ms),
            ttl_seconds: Seconds::of(exchange.claim.ttl_ms),
            executors: &exchange.claim.executors,
            labels: &exchange.claim.labels,
            resources: exchange.claim.resources.as_deref().map(Capacity::named),
        }
    }
}

/// What a problem document says.
#[derive(Debug, Default, Deserialize)]
struct Problem {
    code: Option<String>,
    detail: Option<String>,
    title: Option<String>,
    mend: Option<String>,
}

/// Reads an answer; what is wrong with it is told without repeating any of it.
async fn read<T: DeserializeOwned>(response: Response, to: &str) -> Result<T, CoordinatorError> {
    let status = response.status().as_u16();
    let bytes = response.bytes().await.map_err(|error| unavailable(None, &error))?;
    serde_json::from_slice(&bytes)
        .map_err(|error| rejected(status, format!("the answer to {to} is not understood: {error}")))
}

async fn send(request: RequestBuilder) -> Result<Response, CoordinatorError> {
    let response = crash_point!("worker.http.send", request.send().await);
    let response = response.map_err(|error| unavailable(None, &error))?;
    if response.status().is_success() {
        return Ok(response);
    }
    let status = response.status();
    let seconds = retry_after_seconds(response.headers());
    let text = response.text().await.unwrap_or_default();
    Err(error_of(status, seconds, &text))
}

/// Returns how long the other side wants to be left alone: in seconds, or until a date, which counts from its own.
fn retry_after_seconds(headers: &HeaderMap) -> Option<i64> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let asked = text(RETRY_AFTER)?;
    if let Ok(seconds) = asked.parse() {
        return Some(seconds);
    }
    let moment = |text: &str| jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok();
    Some(moment(asked)?.as_second() - moment(text(DATE)?)?.as_second())
}

fn error_of(status: StatusCode, retry_after_seconds: Option<i64>, text: &str) -> CoordinatorError {
    let problem: Problem = serde_json::from_str(text).unwrap_or_default();
    let detail = problem.detail.or(problem.title);
    let mut detail: String = detail.as_deref().unwrap_or(text).chars().take(SHOWN_CHARS).collect();
    if let Some(mend) = problem.mend {
        detail.push_str("; ");
        detail.extend(mend.chars().take(SHOWN_CHARS));
    }
    match (status, problem.code) {
        (StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT, _) => CoordinatorError::Unavailable {
            retry_after_ms: retry_after_seconds.map(|s| s.saturating_mul(1_000)),
            detail: format!("status {}: {detail}", status.as_u16()),
        },
        (status, _) if status.is_server_error() => CoordinatorError::Unavailable {
            retry_after_ms: retry_after_seconds.map(|s| s.saturating_mul(1_000)),
            detail: format!("status {}: {detail}", status.as_u16()),
        },
        (StatusCode::CONFLICT | StatusCode::NOT_FOUND | StatusCode::GONE, Some(code)) => {
            CoordinatorError::Refused { code, detail }
        }
        (status, _) => rejected(status.as_u16(), detail),
    }
}

fn run_path(run: RunId, verb: &str) -> String {
    format!("work-items/runs/{run}/{verb}")
}

fn json(value: &impl Serialize) -> Result<Vec<u8>, CoordinatorError> {
    serde_json::to_vec(value).map_err(|error| rejected(0, format!("what was to be sent is no JSON: {error}")))
}

fn rejected(status: u16, detail: String) -> CoordinatorError {
    CoordinatorError::Rejected { status, detail }
}

fn unavailable(retry_after_ms: Option<i64>, error: &reqwest::Error) -> CoordinatorError {
    let mut detail = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        detail.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    CoordinatorError::Unavailable { retry_after_ms, detail }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(status: u16, text: &str) -> CoordinatorError {
        error_of(StatusCode::from_u16(status).unwrap(), Some(3), text)
    }

    #[test]
    fn what_the_worker_does_next_follows_from_status_and_code() {
        let stale = r#"{"code":"stale_token","detail":"the token is 4","status":409}"#;
        assert_eq!(
            error(409, stale),
            CoordinatorError::Refused { code: "stale_token".into(), detail: "the token is 4".into() }
        );
        let secret = r#"{"detail":"only workers","mend":"set AGENT_SECRET_KEY"}"#;
        let expected =
            CoordinatorError::Rejected { status: 403, detail: "only workers; set AGENT_SECRET_KEY".into() };
        assert_eq!(error(403, secret), expected);
        for status in [429, 500, 503] {
            let expected = format!("status {status}: busy");
            assert_eq!(
                error(status, r#"{"title":"busy"}"#),
                CoordinatorError::Unavailable { retry_after_ms: Some(3_000), detail: expected }
            );
        }
        for (status, text) in [(401, "no"), (404, "<html>"), (422, "{}")] {
            assert!(matches!(error(status, text), CoordinatorError::Rejected { .. }), "{status}");
        }
    }

    #[test]
    fn the_wait_is_asked_for_in_seconds_or_as_a_date() {
        let asked = |pairs: &[(HeaderName, &'static str)]| {
            let pairs = pairs.iter().map(|(name, text)| (name.clone(), HeaderValue::from_static(text)));
            retry_after_seconds(&pairs.collect())
        };
        let (date, later) = ("Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:50:07 GMT");
        assert_eq!(asked(&[(RETRY_AFTER, " 7 ")]), Some(7));
        assert_eq!(asked(&[(RETRY_AFTER, later), (DATE, date)]), Some(30));
        assert_eq!(asked(&[(RETRY_AFTER, later)]), None);
        assert_eq!(asked(&[(RETRY_AFTER, "soon"), (DATE, date)]), None);
        assert_eq!(asked(&[]), None);
    }

    #[test]
    fn an_address_that_is_none_is_refused_with_the_reason() {
        assert!(HttpCoordinator::new("localhost:18080", None).is_err());
        assert!(HttpCoordinator::new("ftp://x", None).is_err());
        let below = HttpCoordinator::new("http://host/spalla/", None).unwrap();
        assert_eq!(below.base.join("scheduler/exchange").unwrap().path(), "/spalla/scheduler/exchange");
    }
}
