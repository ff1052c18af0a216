//! The events as they happen.

use crate::access::Reach;
use crate::api::Api;
use crate::auth::Client;
use crate::extract::{Params, last_event_id};
use crate::live::{self, Filter, Subscription, Watched};
use crate::principal::Caller;
use crate::problem::Problem;
use crate::state::App;
use crate::wire::event::Event;
use crate::wire::number::{IdNumber, Ordinal};
use crate::wire::text::Needle;
use axum::Extension;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use spalla_domain::{EventSeq, ProjectId, RunId, WorkItemId};
use utoipa::IntoParams;
use utoipa_axum::routes;

/// Adds the routes.
pub(super) fn add(api: Api) -> Api {
    api.add(routes!(follow_events))
}

/// Which events are sent.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct EventsQuery {
    /// Begins after the event with this number; 0 replays everything. Left out, only what happens from now on.
    #[param(inline)]
    after: Option<Ordinal>,
    /// Of this project.
    #[param(inline)]
    project_id: Option<IdNumber>,
    /// Of this work item.
    #[param(inline)]
    work_item_id: Option<IdNumber>,
    /// Of this run.
    #[param(inline)]
    run_id: Option<IdNumber>,
    /// Of this session. Events do not say yet to which session they belong, so this leaves none out.
    #[expect(dead_code, reason = "accepted before there is something to choose by")]
    #[param(inline)]
    session_id: Option<IdNumber>,
    /// Of one of these types, separated by commas; `run.*` is every type that begins with `run.`.
    #[serde(rename = "type")]
    #[param(inline)]
    kind: Option<Needle>,
}

/// Where a client goes on.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "the header is read by hand; this describes it")]
struct EventsHeaders {
    /// The id of the last event that the client saw; wins over `after`.
    #[param(inline, rename = "Last-Event-ID")]
    last_event_id: Option<Ordinal>,
}

/// Follows the events: first those after the given one, then live, without a gap and without a repetition
#[utoipa::path(get, path = "/events", tag = "events", params(EventsQuery, EventsHeaders),
    responses((status = 200, description = "A stream of server-sent events; `data` is an event.",
        body = Event, content_type = "text/event-stream")))]
async fn follow_events(
    State(app): State<App>,
    Extension(client): Extension<Client>,
    Extension(caller): Extension<Caller>,
    reach: Reach,
    headers: HeaderMap,
    Params(query): Params<EventsQuery>,
) -> Result<Response, Problem> {
    let after =
        last_event_id(&headers, "the id of an event")?.or(query.after.map(Ordinal::get)).map(EventSeq);
    let kinds = query.kind.map(String::from).unwrap_or_default();
    let filter = Filter {
        project_id: query.project_id.map(|id| ProjectId(id.get())),
        work_item_id: query.work_item_id.map(|id| WorkItemId(id.get())),
        run_id: query.run_id.map(|id| RunId(id.get())),
        projects: reach.projects().cloned(),
        types: kinds.split(',').map(str::trim).filter(|kind| !kind.is_empty()).map(str::to_owned).collect(),
    };
    let place = app.places.take(client)?;
    let subscription = Subscription::begin(&app.events, place, filter, after).await?;
    Ok(live::response(Watched::new(subscription, &app, caller), app.shutdown.clone()))
}
