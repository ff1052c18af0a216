//! One WebSocket for a page: events go out, and wishes come in. Each wish is carried out as the request that it stands for, by
//! the same routes, so that it is let in, counted and recorded like any other.

use super::events::{Chosen, EventsQuery, subscribe};
use super::log_follow::no_handshake;
use crate::access::Reach;
use crate::api::Api;
use crate::api::routes;
use crate::auth::Client;
use crate::extract::{Params, parse};
use crate::live::{self, Follows, Party, Said, Subscription, Watched};
use crate::principal::Caller;
use crate::problem::Problem;
use crate::server::Peer;
use crate::state::App;
use crate::wire::number::{IdNumber, Ordinal};
use crate::wire::text::{Needle, Word};
use axum::Extension;
use axum::body::Body;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use spalla_domain::EventSeq;
use utoipa::ToSchema;

const PATH: &str = "/api/ws";
/// The largest message of a client: room for the answers to an info request.
const CLIENT_BYTES_MAX: usize = 256 * 1024;
/// The longest answer that is passed on, in bytes.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// What a wish keeps of the handshake: who calls, from where, and in which page.
const KEPT: [header::HeaderName; 5] =
    [header::HOST, header::AUTHORIZATION, header::COOKIE, header::ORIGIN, header::USER_AGENT];

/// Adds the routes.
pub(super) fn add(api: Api) -> Api {
    api.add(routes!(converse))
}

/// What a client says. Each message may have an `id` besides, which comes back with the answer.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum ClientMessage {
    /// Follow these events from now on, instead of those before.
    Subscribe {
        /// Begins after the event with this number; left out, only what happens from now on.
        #[schema(inline)]
        after: Option<Ordinal>,
        /// Of this project.
        #[schema(inline)]
        project_id: Option<IdNumber>,
        /// Of this work item.
        #[schema(inline)]
        work_item_id: Option<IdNumber>,
        /// Of this run.
        #[schema(inline)]
        run_id: Option<IdNumber>,
        /// Of this session; `latest` is the newest.
        #[schema(inline)]
        session_id: Option<Needle>,
        /// Of one of these types; `run.*` is every type that begins with `run.`.
        #[schema(inline)]
        types: Option<Vec<Needle>>,
    },
    /// Follow nothing.
    Unsubscribe {},
    /// Hold a session or one agent of it, let it go on, end it, or have it reviewed: `POST /api/control/{action}`.
    Control {
        /// `pause`, `resume`, `stop` or `review`.
        #[schema(inline)]
        action: Word,
        /// The session; the newest when left out.
        #[schema(inline)]
        session_id: Option<Needle>,
        /// Only this agent of it.
        #[schema(inline)]
        worker: Option<Word>,
        /// With `resume`: what reviewers hold is merged all the same.
        overrule: Option<bool>,
    },
    /// Answer an info request: `POST /work-items/runs/info-requests/{id}/respond`.
    Answer {
        /// The info request.
        #[schema(inline)]
        info_request_id: IdNumber,
        /// A value for each of its fields.
        #[schema(value_type = Object)]
        values: Map<String, Value>,
    },
    /// Nothing: is the server there?
    Ping {},
}

/// Follows events and carries out wishes over one WebSocket
///
/// The client is sent the events that it asks for in the address, from now on, until it says otherwise. Each of its messages is
/// answered with one of the type `reply`: the `id` of the message, the `status` that the same wish would have as a request, and
/// its `body`. A program sends its token as `Authorization`; a browser sends the cookie of the start link by itself.
#[utoipa::path(get, path = "/api/ws", tag = "events", params(EventsQuery),
    responses((status = 101, description = "The connection is a WebSocket from here on; the client's messages.",
            body = ClientMessage, content_type = "application/json"),
        (status = 426, description = "The request is no handshake of a WebSocket.",
            body = crate::wire::problem::ProblemDocument, content_type = "application/problem+json")))]
async fn converse(
    State(app): State<App>,
    Extension(client): Extension<Client>,
    Extension(caller): Extension<Caller>,
    reach: Reach,
    parts: Parts,
    Params(query): Params<EventsQuery>,
    handshake: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    let handshake = handshake.map_err(|rejection| no_handshake(&rejection))?;
    let mut headers = HeaderMap::new();
    for name in KEPT {
        headers.extend(parts.headers.get(&name).map(|value| (name, value.clone())));
    }
    let peer = parts.extensions.get::<Peer>().copied();
    let talk = Talk { app: app.clone(), client, caller, reach, headers, peer };
    let feed = talk.follow(query.into()).await?;
    Ok(live::converse(handshake, feed, talk, &app))
}

/// One client's side of the talk.
struct Talk {
    app: App,
    client: Client,
    caller: Caller,
    reach: Reach,
    headers: HeaderMap,
    peer: Option<Peer>,
}

impl Talk {
    async fn follow(&self, chosen: Chosen) -> Result<Watched<Subscription>, Problem> {
        let subscription = subscribe(&self.app, self.client, &self.reach, chosen, None).await?;
        Ok(Watched::new(subscription, &self.app, self.caller.clone()))
    }

    async fn carry_out(&self, message: ClientMessage) -> Answered {
        match message {
            ClientMessage::Subscribe { after, project_id, work_item_id, run_id, session_id, types } => {
                let types = types.unwrap_or_default().into_iter().map(String::from).collect();
                let after = after.map(|after| EventSeq(after.get()));
                let session_id = session_id.map(String::from);
                let chosen = Chosen { after, project_id, work_item_id, run_id, session_id, types };
                match self.follow(chosen).await {
                    Ok(feed) => Answered { follows: Some(Follows::Feed(feed)), ..Answered::well() },
                    Err(problem) => Answered::badly(&problem),
                }
            }
            ClientMessage::Unsubscribe {} => Answered { follows: Some(Follows::Nothing), ..Answered::well() },
            ClientMessage::Ping {} => Answered::well(),
            ClientMessage::Control { action, session_id, worker, overrule } => {
                let action = String::from(action);
                let is_plain = action.bytes().all(|byte| byte.is_ascii_lowercase());
                let action = if is_plain { action } else { "unknown".to_owned() };
                let body = json!({
                    "session_id": session_id.map(String::from),
                    "worker": worker.map(String::from),
                    "overrule": overrule,
                });
                self.ask(&format!("/api/control/{action}"), &body).await
            }
            ClientMessage::Answer { info_request_id, values } => {
                let path = format!("/work-items/runs/info-requests/{}/respond", info_request_id.get());
                self.ask(&path, &json!({ "values": values })).await
            }
        }
    }

    /// Carries a wish out as the request that it stands for.
    async fn ask(&self, path: &str, body: &Value) -> Answered {
        let mut request = Request::new(Body::from(body.to_string()));
        *request.method_mut() = Method::POST;
        let Ok(uri) = path.parse() else { return Answered::badly(&Problem::no_route(path)) };
        *request.uri_mut() = uri;
        *request.headers_mut() = self.headers.clone();
        request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(peer) = self.peer {
            request.extensions_mut().insert(peer);
        }
        let Some(answer) = self.app.ask(request).await else { return Answered::badly(&Problem::internal()) };
        let (parts, body) = answer.into_parts();
        let bytes = axum::body::to_bytes(body, ANSWER_BYTES_MAX).await.unwrap_or_default();
        let body = serde_json::from_slice(&bytes).unwrap_or_default();
        Answered { status: parts.status, body, follows: None }
    }
}

/// What came of a message.
struct Answered {
    status: StatusCode,
    body: Value,
    follows: Option<Follows<Watched<Subscription>>>,
}

impl Answered {
    const fn well() -> Self {
        Self { status: StatusCode::OK, body: Value::Null, follows: None }
    }

    fn badly(problem: &Problem) -> Self {
        Self { status: problem.status(), body: json!(problem.document(PATH, "")), follows: None }
    }
}

impl Party for Talk {
    type Feed = Watched<Subscription>;
    const BYTES_MAX: usize = CLIENT_BYTES_MAX;

    async fn hear(&mut self, message: &[u8]) -> Said<Self::Feed> {
        let (id, message) = understand(message);
        let answered = match message {
            Ok(message) => self.carry_out(message).await,
            Err(problem) => Answered::badly(&problem),
        };
        let Answered { status, body, follows } = answered;
        let answer = json!({ "type": "reply", "id": id, "status": status.as_u16(), "body": body });
        Said { answer: Some(answer.to_string()), follows }
    }
}

/// Reads a message, and its id apart from the rest. What does not fit is not repeated: it may hold a secret.
fn understand(message: &[u8]) -> (Value, Result<ClientMessage, Problem>) {
    let mut members: Map<String, Value> = match parse(message) {
        Ok(members) => members,
        Err(problem) => return (Value::Null, Err(problem.discreet())),
    };
    let id = members.remove("id").unwrap_or_default();
    let message = serde_json::from_value(members.into());
    let problem = |_| {
        let message = "it is no message: the type is subscribe, unsubscribe, control, answer or ping, each with its own members";
        Problem::invalid("type", message)
    };
    (id, message.map_err(problem))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_of_the_five_and_nothing_else() {
        let reads = |text: &str| understand(text.as_bytes()).1.is_ok();
        assert!(reads(r#"{"type":"subscribe","session_id":"orch_1","after":0}"#));
        assert!(reads(r#"{"type":"control","id":7,"action":"pause"}"#));
        assert!(reads(r#"{"type":"answer","info_request_id":3,"values":{"A":"b"}}"#));
        for bad in [
            r#"{"type":"subscribe","projects":3}"#,
            r#"{"type":"shout"}"#,
            r#"{"action":"pause"}"#,
            "[]",
            r#"{"type":"ping","x":1}"#,
            "{",
        ] {
            assert!(!reads(bad), "{bad}");
        }
    }
}
