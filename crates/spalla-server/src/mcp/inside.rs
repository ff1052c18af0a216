//! `/mcp`: the tools over streamable HTTP. Who calls is looked up with every request, and each call of a tool is the request
//! that it stands for, with the same credentials; a session of the protocol opens nothing by itself.

use super::sessions::Owners;
use super::{Answered, Asked, Extensions, Refused, Server, Way};
use crate::auth::Client;
use crate::problem::Problem;
use crate::server::Peer;
use crate::state::App;
use crate::wire::BODY_BYTES_MAX;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The header that names a session of the protocol.
const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
/// How long a session lives in which nothing is said: longer than the longest wait for a person.
const SESSION_KEPT: Duration = Duration::from_secs(90_000);
/// The longest answer that is passed on to a tool, in bytes.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The longest refusal of the protocol that is read, in bytes.
const REFUSAL_BYTES_MAX: usize = 64 * 1024;
/// What a call of a tool keeps of the request that it came with: who calls, and in which page.
const KEPT: [HeaderName; 5] =
    [header::HOST, header::AUTHORIZATION, header::COOKIE, header::ORIGIN, header::USER_AGENT];

/// The tools over HTTP; cheap to clone.
#[derive(Clone)]
pub(crate) struct Endpoint(Arc<Inner>);

struct Inner {
    service: StreamableHttpService<Server<Inside>, LocalSessionManager>,
    manager: Arc<LocalSessionManager>,
    owners: Owners,
    app: App,
}

/// The way of whoever is here already.
struct Inside(App);

impl Endpoint {
    /// Offers the tools until the shutdown.
    pub(crate) fn new(app: &App, shutdown: &CancellationToken) -> Self {
        let mut manager = LocalSessionManager::default();
        manager.session_config.keep_alive = Some(SESSION_KEPT);
        manager.session_config.sse_retry = None;
        let manager = Arc::new(manager);
        // Hosts and origins were looked at on the way here, with those of all other requests.
        let config = StreamableHttpServerConfig::default()
            .disable_allowed_hosts()
            .disable_allowed_origins()
            .with_sse_retry(None)
            .with_max_request_body_bytes(BODY_BYTES_MAX)
            .with_cancellation_token(shutdown.child_token());
        let inside = app.clone();
        let service = move || Ok(Server::new(Inside(inside.clone()), None));
        let service = StreamableHttpService::new(service, Arc::clone(&manager), config);
        Self(Arc::new(Inner { service, manager, owners: Owners::default(), app: app.clone() }))
    }

    /// Answers a message, or ends a session. Somebody else's session does not exist.
    pub(crate) async fn answer(
        &self,
        client: Client,
        parts: Parts,
        body: Bytes,
    ) -> Result<Response, Problem> {
        let named = parts.headers.get(&SESSION_ID).map(|id| id.to_str().unwrap_or_default().to_owned());
        match &named {
            Some(id) if !self.0.owners.has(id, client) => return Err(no_session(id)),
            Some(_) => {}
            None => self.make_room(client).await?,
        }
        let is_end = parts.method == Method::DELETE;
        let answer = self.0.service.handle(Request::from_parts(parts, Body::from(body))).await;
        let answer = answer.map(Body::new);
        if answer.status().is_client_error() || answer.status().is_server_error() {
            return Err(refusal(answer).await);
        }
        if let Some(id) = answer.headers().get(&SESSION_ID).and_then(|id| id.to_str().ok()) {
            self.0.owners.add(id, client);
        }
        if let Some(id) = named.filter(|_| is_end) {
            self.0.owners.remove(&id);
            // Some clients take only this for an end.
            return Ok(StatusCode::NO_CONTENT.into_response());
        }
        Ok(answer)
    }

    /// Ends sessions of runs that are over where there are many, then those that have to go for one more, and forgets those that
    /// ended by themselves.
    async fn make_room(&self, client: Client) -> Result<(), Problem> {
        let known: Vec<String> =
            self.0.manager.sessions.read().await.keys().map(|id| id.to_string()).collect();
        let mut over = BTreeSet::new();
        for id in self.0.owners.idle_runs() {
            let run = self.0.app.read().run(id).await?;
            if run.is_none_or(|run| run.ended_at.is_some()) {
                over.insert(id);
            }
        }
        for id in self.0.owners.make_room(client, &known, &over) {
            if let Some(handle) = self.0.manager.sessions.write().await.remove(id.as_str()) {
                drop(handle);
            }
        }
        Ok(())
    }
}

impl Way for Inside {
    async fn ask(&self, call: &Extensions, path: &str, asked: Asked<'_>) -> Result<Value, Refused> {
        let Some(parts) = call.get::<Parts>() else {
            return Err(odd("it is not known who calls"));
        };
        let (method, body) = match asked {
            Asked::Get => (Method::GET, Body::empty()),
            Asked::Post(body) => (Method::POST, Body::from(body.to_string())),
        };
        let mut request = Request::new(body);
        let mut headers = HeaderMap::new();
        for name in KEPT {
            headers.extend(parts.headers.get(&name).map(|value| (name, value.clone())));
        }
        if method == Method::POST {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().map_err(|_| odd(format!("{path} is no path")))?;
        *request.headers_mut() = headers;
        if let Some(peer) = parts.extensions.get::<Peer>() {
            request.extensions_mut().insert(*peer);
        }
        let Some(answer) = self.0.ask(request).await else {
            return Err(odd("the server is ending"));
        };
        let status = answer.status();
        let bytes = axum::body::to_bytes(answer.into_body(), ANSWER_BYTES_MAX).await;
        let bytes = bytes.map_err(|error| odd(format!("reading the answer: {error}")))?;
        let said: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        if status.is_success() {
            return Ok(said);
        }
        Err(Refused { why: words(status, &said), answer: Answered::Status(status.as_u16()) })
    }
}

fn odd(why: impl Into<String>) -> Refused {
    Refused { why: why.into(), answer: Answered::Odd }
}

/// Says why a request came to nothing, and what to do about it.
fn words(status: StatusCode, problem: &Value) -> String {
    let detail = problem["detail"].as_str().map_or_else(|| status.to_string(), str::to_owned);
    match problem["mend"].as_str() {
        Some(mend) => format!("{detail}; {mend}"),
        None => detail,
    }
}

fn no_session(id: &str) -> Problem {
    let detail =
        format!("session {:?} of the protocol does not exist", id.chars().take(64).collect::<String>());
    Problem::new(StatusCode::NOT_FOUND, "not_found", detail)
        .mend("begin anew with initialize, without Mcp-Session-Id")
}

/// Says in this server's form what the protocol refused.
async fn refusal(answer: Response) -> Problem {
    let status = answer.status();
    let said = axum::body::to_bytes(answer.into_body(), REFUSAL_BYTES_MAX).await.unwrap_or_default();
    let said = String::from_utf8_lossy(&said).into_owned();
    // Some are JSON-RPC errors, of which the message is for people.
    let message = serde_json::from_str::<Value>(&said).ok();
    let message =
        message.and_then(|said| Some(said["error"]["message"].as_str()?.to_owned())).unwrap_or(said);
    let code = match status {
        StatusCode::NOT_FOUND => "not_found",
        StatusCode::METHOD_NOT_ALLOWED => "method_not_allowed",
        StatusCode::NOT_ACCEPTABLE => "not_acceptable",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "unsupported_media_type",
        status if status.is_server_error() => return Problem::internal(),
        _ => "invalid",
    };
    Problem::new(status, code, format!("the protocol refuses it: {message}"))
}
