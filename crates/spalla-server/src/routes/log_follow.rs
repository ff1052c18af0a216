//! The log of a run as it grows, over a WebSocket or as server-sent events: first the lines from a number on, then
//! those that come, without a gap and without a repetition.

use crate::api::Api;
use crate::api::routes;
use crate::auth::Client;
use crate::extract::{Id, Params, last_event_id};
use crate::live::{self, LogSubscription, Start, Watched};
use crate::principal::Caller;
use crate::problem::Problem;
use crate::state::App;
use crate::wire::log::LogView;
use crate::wire::number::{IdInPath, Ordinal};
use axum::Extension;
use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use spalla_domain::RunId;
use spalla_domain::id::ID_MAX;
use utoipa::IntoParams;

/// Adds the routes.
pub(super) fn add(api: Api) -> Api {
    api.add(routes!(follow_log_by_web_socket)).add(routes!(follow_log_by_events))
}

/// Where the lines begin, and when they end.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct FollowQuery {
    /// The number of the first line that is wanted: after a break, the last number that was seen, and one more.
    #[param(inline)]
    from: Option<Ordinal>,
    /// Stays open when the run is over and every line is sent; otherwise that is the end.
    follow: Option<bool>,
}

/// Where a client goes on.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "the header is read by hand; this describes it")]
struct FollowHeaders {
    /// The number of the last line that the client saw; wins over `from`.
    #[param(inline, rename = "Last-Event-ID")]
    last_event_id: Option<Ordinal>,
}

/// Follows the log of a run over a WebSocket
///
/// Each text message is one line. When the run is over and every line is sent, the server closes with 1000 and the
/// reason; with 1001 when it shuts down, and then the client comes back with `from`. A program sends its token as
/// `Authorization`; a browser sends the cookie of the start link by itself, and no token belongs into the address.
#[utoipa::path(get, path = "/work-items/runs/{id}/logs/ws", tag = "runs", params(IdInPath, FollowQuery),
    responses((status = 101, description = "The connection is a WebSocket from here on; a message is a line.",
            body = LogView, content_type = "application/json"),
        (status = 426, description = "The request is no handshake of a WebSocket.",
            body = crate::wire::problem::ProblemDocument, content_type = "application/problem+json")))]
async fn follow_log_by_web_socket(
    State(app): State<App>,
    Extension(client): Extension<Client>,
    Extension(caller): Extension<Caller>,
    Id(run_id): Id<RunId>,
    Params(query): Params<FollowQuery>,
    handshake: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    let handshake = handshake.map_err(|rejection| no_handshake(&rejection))?;
    let start =
        Start { run_id, from: query.from.map_or(0, Ordinal::get), stays: query.follow.unwrap_or_default() };
    let subscription = LogSubscription::begin(&app.logs, app.places.take(client)?, start).await?;
    Ok(live::upgrade(handshake, Watched::new(subscription, &app, caller), &app))
}

pub(super) fn no_handshake(rejection: &WebSocketUpgradeRejection) -> Problem {
    let detail = format!("the request is no handshake of a WebSocket: {rejection}");
    Problem::new(StatusCode::UPGRADE_REQUIRED, "upgrade_required", detail)
        .mend("connect with a WebSocket client, or follow /logs/sse, or read /logs")
}

/// Follows the log of a run as server-sent events
///
/// The `id` of each event is the number of its line. When the run is over and every line is sent, an event `end` says
/// so, and who comes back after that is answered with 204.
#[utoipa::path(get, path = "/work-items/runs/{id}/logs/sse", tag = "runs",
    params(IdInPath, FollowQuery, FollowHeaders),
    responses((status = 200, description = "A stream of server-sent events; `data` is a line.",
            body = LogView, content_type = "text/event-stream"),
        (status = 204, description = "The run is over and the client has every line.")))]
async fn follow_log_by_events(
    State(app): State<App>,
    Extension(client): Extension<Client>,
    Extension(caller): Extension<Caller>,
    Id(run_id): Id<RunId>,
    Params(query): Params<FollowQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let seen = last_event_id(&headers, "the number of a line")?;
    let from = seen.map_or(query.from.map_or(0, Ordinal::get), |seen| (seen + 1).min(ID_MAX));
    let start = Start { run_id, from, stays: query.follow.unwrap_or_default() };
    let subscription = LogSubscription::begin(&app.logs, app.places.take(client)?, start).await?;
    // Browsers come back to a stream that ended, and stay away after this.
    if seen.is_some() && !start.stays && subscription.is_complete().await? {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    Ok(live::response(Watched::new(subscription, &app, caller), app.shutdown.clone()))
}
