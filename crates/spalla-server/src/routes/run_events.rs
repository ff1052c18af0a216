//! Events of a run: told while it goes on, and listed.

use super::run_logs::number;
use super::runs::show;
use crate::api::Api;
use crate::api::routes;
use crate::extract::{Id, Params, Wish};
use crate::problem::Problem;
use crate::state::App;
use crate::wire::event::Event;
use crate::wire::number::{IdInPath, Ordinal};
use crate::wire::run_event::{EventsKept, RunEventReport};
use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use serde::Deserialize;
use spalla_domain::claim::Heartbeat;
use spalla_domain::{EventSeq, Fence, RunId};
use spalla_store::view::EventFilter;
use spalla_store::{Command, Reply};
use utoipa::IntoParams;

/// Adds the routes.
pub(super) fn add(api: Api) -> Api {
    api.add(routes!(tell_events, list_events))
}

/// How many events one page has.
const PAGE_EVENTS: u32 = 200;

/// Which events of a run are listed.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct RunEventsQuery {
    /// Begins after the event with this number; left out, with the first.
    #[param(inline)]
    after: Option<Ordinal>,
}

/// Lists the events of a run, oldest first, at most 200 at once: the next page begins after the last one's number
#[utoipa::path(get, path = "/work-items/runs/{id}/events", tag = "runs", params(IdInPath, RunEventsQuery),
    responses((status = 200, description = "Its events.", body = Vec<Event>)))]
async fn list_events(
    State(app): State<App>,
    Id(run_id): Id<RunId>,
    Params(query): Params<RunEventsQuery>,
) -> Result<Json<Vec<Event>>, Problem> {
    show(&app, run_id).await?;
    let after = query.after.map(|after| EventSeq(after.get()));
    let filter = EventFilter { project_id: None, run_id: Some(run_id), after };
    let events = app.read().events(filter, PAGE_EVENTS).await?;
    Ok(Json(events.iter().map(Event::from).collect()))
}

/// What a worker says of its events.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "the header is read by hand; this describes it")]
struct TellHeaders {
    /// The token of the lease. A run's own token stands for it.
    #[param(inline, rename = "X-Fencing-Token")]
    fencing_token: Option<Ordinal>,
}

/// Tells one event of a run, or several: `{"events": […]}`
///
/// They are on `/events` as others are, of the type that they say, with the agent and the session that they belong to.
#[utoipa::path(post, path = "/work-items/runs/{id}/events", tag = "runs", params(IdInPath, TellHeaders),
    request_body(content = RunEventReport, example = json!({"events": [
        {"type": "finding", "payload": {"text": "two tests fail", "file": "src/lib.rs"}, "id": "7"},
        {"type": "progress", "payload": {"text": "one of them is mended", "progress": 50}, "agent": "codex"}]})),
    responses((status = 200, description = "They are on disk.", body = EventsKept)))]
async fn tell_events(
    State(app): State<App>,
    Id(run_id): Id<RunId>,
    headers: HeaderMap,
    wish: Wish<RunEventReport>,
) -> Result<Json<EventsKept>, Problem> {
    let fencing_token = number(&headers, "X-Fencing-Token")?.map(Fence).ok_or_else(|| {
        Problem::invalid("X-Fencing-Token", "the header is missing").mend("send the lease's token")
    })?;
    let mut events = wish.body.into_events()?;
    app.vault.redact_events(run_id, &mut events).await?;
    let holder = Heartbeat { run_id, fencing_token };
    match app.execute(Command::TellEvents { holder, events }, wish.key).await? {
        Reply::EventsTold { kept } => Ok(Json(EventsKept::new(kept))),
        other => Err(Problem::unexpected_reply(&other)),
    }
}
