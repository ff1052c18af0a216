//! What is shown of a session's parts: its agents, reviews, decisions and recoveries, and all of it in figures.

use super::sessions::{find, visible};
use crate::access::Reach;
use crate::api::Api;
use crate::api::routes;
use crate::extract::{NoParams, Params};
use crate::problem::Problem;
use crate::sessions::Found;
use crate::state::App;
use crate::wire::session::Decision;
use crate::wire::session_parts::{
    RecoveryEntry, Review, SessionWorker, SessionsSummary, recoveries, reviews, summary, workers,
};
use crate::wire::text::Needle;
use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

/// Adds the routes.
pub(super) fn add(api: Api) -> Api {
    api.add(routes!(list_session_workers))
        .add(routes!(list_reviews))
        .add(routes!(list_decisions))
        .add(routes!(list_recoveries))
        .add(routes!(summarize_sessions))
}

/// Of which session parts are shown.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct PartsQuery {
    /// The session; the newest when left out.
    #[param(inline)]
    session_id: Option<Needle>,
}

/// Finds the session; where none is named and there is none, there are no parts either.
async fn session(app: &App, reach: &Reach, query: PartsQuery) -> Result<Option<Found>, Problem> {
    match query.session_id {
        Some(id) => find(app, reach, Some(id)).await.map(Some),
        None => Ok(visible(app, reach).await?.into_iter().next()),
    }
}

/// Shows the agents of a session, and what each does now
#[utoipa::path(get, path = "/api/workers", tag = "sessions", params(PartsQuery),
    responses((status = 200, description = "The agents.", body = Vec<SessionWorker>)))]
async fn list_session_workers(
    State(app): State<App>,
    reach: Reach,
    Params(query): Params<PartsQuery>,
) -> Result<Json<Vec<SessionWorker>>, Problem> {
    let found = session(&app, &reach, query).await?;
    Ok(Json(found.as_ref().map(workers).unwrap_or_default()))
}

/// Lists what agents of a session said of each other's work
#[utoipa::path(get, path = "/api/reviews", tag = "sessions", params(PartsQuery),
    responses((status = 200, description = "The reviews, in the order in which they were asked for.",
        body = Vec<Review>)))]
async fn list_reviews(
    State(app): State<App>,
    reach: Reach,
    Params(query): Params<PartsQuery>,
) -> Result<Json<Vec<Review>>, Problem> {
    let found = session(&app, &reach, query).await?;
    Ok(Json(found.map(|found| reviews(&found.session)).unwrap_or_default()))
}

/// Lists what was decided about the changes of a session, by which rule
#[utoipa::path(get, path = "/api/decisions", tag = "sessions", params(PartsQuery),
    responses((status = 200, description = "The decisions, oldest first.", body = Vec<Decision>)))]
async fn list_decisions(
    State(app): State<App>,
    reach: Reach,
    Params(query): Params<PartsQuery>,
) -> Result<Json<Vec<Decision>>, Problem> {
    let Some(Found { session, .. }) = session(&app, &reach, query).await? else { return Ok(Json(vec![])) };
    Ok(Json(session.decisions.iter().map(|decision| Decision::of(&session.id, decision)).collect()))
}

/// Lists what was done about what stopped agents of a session
#[utoipa::path(get, path = "/api/recovery", tag = "sessions", params(PartsQuery),
    responses((status = 200, description = "The recoveries, in the order of the session's items.",
        body = Vec<RecoveryEntry>)))]
async fn list_recoveries(
    State(app): State<App>,
    reach: Reach,
    Params(query): Params<PartsQuery>,
) -> Result<Json<Vec<RecoveryEntry>>, Problem> {
    let found = session(&app, &reach, query).await?;
    Ok(Json(found.map(|found| recoveries(&found.session)).unwrap_or_default()))
}

/// Counts all sessions, and what they used
#[utoipa::path(get, path = "/api/summary", tag = "sessions",
    responses((status = 200, description = "The figures.", body = SessionsSummary)))]
async fn summarize_sessions(
    State(app): State<App>,
    reach: Reach,
    _: Params<NoParams>,
) -> Result<Json<SessionsSummary>, Problem> {
    Ok(Json(summary(&visible(&app, &reach).await?)))
}
