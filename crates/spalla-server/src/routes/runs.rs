//! Runs as people see and end them.

use crate::access::Reach;
use crate::api::Api;
use crate::api::routes;
use crate::extract::{Id, NoParams, Params, Wish};
use crate::problem::Problem;
use crate::state::App;
use crate::wire::Empty;
use crate::wire::list::{Listed, Paging, list_query};
use crate::wire::number::{IdInPath, IdNumber};
use crate::wire::run::{Run, RunEndBody, RunStatus};
use crate::wire::text::Needle;
use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use serde::Deserialize;
use spalla_domain::{ProjectId, RunId};
use spalla_store::Command;
use spalla_store::view::{Page, RunFilter, RunView};
use utoipa::IntoParams;

/// Adds the routes.
pub(super) fn add(api: Api) -> Api {
    api.add(routes!(list_runs))
        .add(routes!(get_run))
        .add(routes!(complete_run))
        .add(routes!(cancel_run))
        .add(routes!(pause_run))
        .add(routes!(resume_run))
}

list_query! {
    /// Which runs are shown.
    RunsQuery {
        /// In this state.
        #[param(inline)]
        status: Option<RunStatus>,
        /// Of this project.
        #[param(inline)]
        project_id: Option<IdNumber>,
        /// Of this agent.
        #[param(inline)]
        agent: Option<Needle>,
    }
}

/// Lists runs, newest first
#[utoipa::path(get, path = "/work-items/runs", tag = "runs", params(RunsQuery),
    responses((status = 200, description = "The runs.", body = Vec<Run>)))]
async fn list_runs(
    State(app): State<App>,
    uri: Uri,
    reach: Reach,
    Params(query): Params<RunsQuery>,
) -> Result<Listed<Run>, Problem> {
    let paging = query.paging();
    let filter = RunFilter {
        work_item_id: None,
        project_id: query.project_id.map(|id| ProjectId(id.get())),
        status: query.status.map(Into::into),
        agent: query.agent.map(Into::into),
    };
    list(&app, &reach, filter, &uri, paging).await
}

/// Shows a run
#[utoipa::path(get, path = "/work-items/runs/{id}", tag = "runs", params(IdInPath),
    responses((status = 200, description = "The run.", body = Run)))]
async fn get_run(
    State(app): State<App>,
    Id(id): Id<RunId>,
    _: Params<NoParams>,
) -> Result<Json<Run>, Problem> {
    Ok(Json(show(&app, id).await?))
}

/// How a run ended, in the query.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct CompleteQuery {
    /// Whether what was asked was done.
    success: bool,
}

/// Ends a run: its worker with its token, or a person while nobody holds it
#[utoipa::path(post, path = "/work-items/runs/{id}/complete", tag = "runs", params(IdInPath, CompleteQuery),
    request_body = Option<RunEndBody>,
    responses((status = 200, description = "The run as it ended; the same for the same token.", body = Run)))]
async fn complete_run(
    State(app): State<App>,
    Id(id): Id<RunId>,
    wish: Wish<RunEndBody, CompleteQuery>,
) -> Result<Json<Run>, Problem> {
    let mut end = wish.body.into_end(id, wish.params.success);
    app.vault.redact_end(&mut end).await?;
    app.execute(Command::Complete(end), wish.key).await?;
    Ok(Json(show(&app, id).await?))
}

/// Stops a run and its work item
#[utoipa::path(post, path = "/work-items/runs/{id}/cancel", tag = "runs", params(IdInPath),
    request_body = Option<Empty>, responses((status = 200, description = "The run as it is now.", body = Run)))]
async fn cancel_run(
    State(app): State<App>,
    Id(id): Id<RunId>,
    wish: Wish<Empty>,
) -> Result<Json<Run>, Problem> {
    app.execute(Command::CancelRun { run_id: id }, wish.key).await?;
    Ok(Json(show(&app, id).await?))
}

/// Lets a run stand still; its holder hears it with the next heartbeat
#[utoipa::path(post, path = "/work-items/runs/{id}/pause", tag = "runs", params(IdInPath),
    request_body = Option<Empty>, responses((status = 200, description = "The run as it is now.", body = Run)))]
async fn pause_run(
    State(app): State<App>,
    Id(id): Id<RunId>,
    wish: Wish<Empty>,
) -> Result<Json<Run>, Problem> {
    app.execute(Command::PauseRun { run_id: id }, wish.key).await?;
    Ok(Json(show(&app, id).await?))
}

/// Lets a run that stands still go on
#[utoipa::path(post, path = "/work-items/runs/{id}/resume", tag = "runs", params(IdInPath),
    request_body = Option<Empty>, responses((status = 200, description = "The run as it is now.", body = Run)))]
async fn resume_run(
    State(app): State<App>,
    Id(id): Id<RunId>,
    wish: Wish<Empty>,
) -> Result<Json<Run>, Problem> {
    app.execute(Command::ResumeRun { run_id: id }, wish.key).await?;
    Ok(Json(show(&app, id).await?))
}

/// Lists the runs that a filter lets through.
pub(super) async fn list(
    app: &App,
    reach: &Reach,
    filter: RunFilter,
    uri: &Uri,
    paging: Paging,
) -> Result<Listed<Run>, Problem> {
    let found = page(app, reach, &filter, paging.page).await?;
    let total = if paging.count { Some(count(app, reach, &filter).await?) } else { None };
    let last = found.last().map(|run| run.id.0);
    Ok(Listed::new(found.into_iter().map(Into::into).collect(), last, uri, paging, total))
}

/// Reads a page of the runs that a filter lets through and a caller reaches.
pub(super) async fn page(
    app: &App,
    reach: &Reach,
    filter: &RunFilter,
    page: Page,
) -> Result<Vec<RunView>, Problem> {
    let pages = reach.pages(filter.project_id, page)?;
    let mut found = vec![];
    for project_id in &pages.projects {
        let filter = RunFilter { project_id: *project_id, ..filter.clone() };
        found.extend(app.read().runs(filter, pages.of_each).await?);
    }
    Ok(pages.merged(found, |run| run.id.0))
}

/// Counts the runs that a filter lets through and a caller reaches.
pub(super) async fn count(app: &App, reach: &Reach, filter: &RunFilter) -> Result<u64, Problem> {
    let mut count = 0;
    for project_id in reach.each(filter.project_id) {
        count += app.read().count_runs(RunFilter { project_id, ..filter.clone() }).await?;
    }
    Ok(count)
}

/// Reads a run as clients see it, or says that it does not exist.
pub(super) async fn show(app: &App, id: RunId) -> Result<Run, Problem> {
    find(app, id).await.map(Into::into)
}

/// Reads a run, or says that it does not exist.
pub(super) async fn find(app: &App, id: RunId) -> Result<RunView, Problem> {
    app.read().run(id).await?.ok_or_else(|| Problem::not_found("run", id))
}
