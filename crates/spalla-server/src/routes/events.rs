//! The events as they happen.

use super::sessions;
use crate::access::Reach;
use crate::api::Api;
use crate::api::routes;
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
use spalla_domain::session::is_session_id;
use spalla_domain::{EventSeq, ProjectId, RunId, WorkItemId};
use utoipa::IntoParams;

/// Adds the routes.
pub(super) fn add(api: Api) -> Api {
    api.add_also_at("/api/events/stream", routes!(follow_events))
}

/// Which events are sent.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EventsQuery {
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
    /// Of this session; `latest` is the newest.
    #[param(inline)]
    session_id: Option<Needle>,
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
    let after = last_event_id(&headers, "the id of an event")?.map(EventSeq);
    let subscription = subscribe(&app, client, &reach, query.into(), after).await?;
    Ok(live::response(Watched::new(subscription, &app, caller), app.shutdown.clone()))
}

/// Which events somebody follows.
#[derive(Debug, Default)]
pub(super) struct Chosen {
    /// Begins after the event with this number.
    pub(super) after: Option<EventSeq>,
    /// Of this project.
    pub(super) project_id: Option<IdNumber>,
    /// Of this work item.
    pub(super) work_item_id: Option<IdNumber>,
    /// Of this run.
    pub(super) run_id: Option<IdNumber>,
    /// Of this session.
    pub(super) session_id: Option<String>,
    /// Of one of these types; of any where none is named.
    pub(super) types: Vec<String>,
}

impl From<EventsQuery> for Chosen {
    fn from(query: EventsQuery) -> Self {
        let kinds = query.kind.map(String::from).unwrap_or_default();
        let kinds = kinds.split(',').map(str::trim).filter(|kind| !kind.is_empty());
        Self {
            after: query.after.map(|after| EventSeq(after.get())),
            project_id: query.project_id,
            work_item_id: query.work_item_id,
            run_id: query.run_id,
            session_id: query.session_id.map(String::from),
            types: kinds.map(str::to_owned).collect(),
        }
    }
}

/// Begins to follow events. `after` wins over what is chosen.
pub(super) async fn subscribe(
    app: &App,
    client: Client,
    reach: &Reach,
    chosen: Chosen,
    after: Option<EventSeq>,
) -> Result<Subscription, Problem> {
    let mut projects = reach.projects().cloned();
    if let Some(id) = chosen.session_id {
        // A session's events are those of its project; one that is about a folder alone shares that with others. One that is
        // not there has none.
        if !is_session_id(&id) {
            return Err(Problem::invalid("session_id", format!("{id:?} is no name of a session")));
        }
        let found = sessions::find_by_name(app, reach, id).await.ok();
        projects =
            Some(found.and_then(|found| found.session.project_id).map(ProjectId).into_iter().collect());
    }
    let filter = Filter {
        project_id: chosen.project_id.map(|id| ProjectId(id.get())),
        work_item_id: chosen.work_item_id.map(|id| WorkItemId(id.get())),
        run_id: chosen.run_id.map(|id| RunId(id.get())),
        projects,
        types: chosen.types,
    };
    let place = app.places.take(client)?;
    Ok(Subscription::begin(&app.events, place, filter, after.or(chosen.after)).await?)
}
