//! Quotas: what a project may use, and what it used.

use crate::access::Reach;
use crate::api::Api;
use crate::api::routes;
use crate::documents::Which;
use crate::extract::{Id, NoParams, Params, Wish};
use crate::problem::Problem;
use crate::state::App;
use crate::wire::list::{LIMIT_MAX, Listed, list_query};
use crate::wire::number::IdInPath;
use crate::wire::quota::{Quota, QuotaBody, Standing};
use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use futures_util::{StreamExt, TryStreamExt, stream};
use spalla_domain::ProjectId;
use spalla_domain::quota::UtcDay;
use spalla_store::Command;
use spalla_store::document::{Kept, ProjectQuota};
use spalla_store::view::Page;
use std::collections::BTreeSet;

/// How many projects are looked at side by side.
const PROJECTS_AT_ONCE: usize = 8;

/// Adds the routes.
pub(super) fn add(api: Api) -> Api {
    api.add(routes!(set_quota, get_quota)).add(routes!(list_usage))
}

/// Sets the caps of a project, all of them; what is left out is not capped
#[utoipa::path(post, path = "/projects/{id}/quota", tag = "projects", params(IdInPath),
    request_body(content = Option<QuotaBody>, example = json!({"daily_runs": 200, "daily_cost_usd": 12.5})),
    responses((status = 200, description = "The caps, and what was used today.", body = Quota)))]
async fn set_quota(
    State(app): State<App>,
    Id(project_id): Id<ProjectId>,
    wish: Wish<QuotaBody>,
) -> Result<Json<Quota>, Problem> {
    app.execute(Command::SetQuota { project_id, quota: wish.body.into() }, wish.key).await?;
    Ok(Json(standing(&app, project_id).await?.into()))
}

/// Shows the caps of a project, and what it used today
#[utoipa::path(get, path = "/projects/{id}/quota", tag = "projects", params(IdInPath),
    responses((status = 200, description = "The caps, and what was used today.", body = Quota)))]
async fn get_quota(
    State(app): State<App>,
    Id(project_id): Id<ProjectId>,
    _: Params<NoParams>,
) -> Result<Json<Quota>, Problem> {
    super::projects::find(&app, project_id).await?;
    Ok(Json(standing(&app, project_id).await?.into()))
}

list_query! {
    /// Which projects are shown.
    UsageQuery {}
}

/// Lists the projects that are not put away with their caps and what they used today, newest first
#[utoipa::path(get, path = "/observability/usage", tag = "observability", params(UsageQuery),
    responses((status = 200, description = "One entry a project.", body = Vec<Quota>)))]
async fn list_usage(
    State(app): State<App>,
    uri: Uri,
    reach: Reach,
    Params(query): Params<UsageQuery>,
) -> Result<Listed<Quota>, Problem> {
    let paging = query.paging();
    let found = super::projects::page(&app, &reach, paging.page).await?;
    let total = if paging.count { Some(super::projects::count(&app, &reach).await?) } else { None };
    let last = found.last().map(|project| project.id.0);
    let standings = stream::iter(found).map(|project| standing(&app, project.id)).buffered(PROJECTS_AT_ONCE);
    let standings: Vec<Standing> = standings.try_collect().await?;
    Ok(Listed::new(standings.into_iter().map(Into::into).collect(), last, &uri, paging, total))
}

async fn standing(app: &App, project_id: ProjectId) -> Result<Standing, Problem> {
    let caps: Option<ProjectQuota> = app.kept(project_id.0).await?;
    let now = app.now();
    let usage = app.read().usage_of(project_id, UtcDay::of(now)).await?;
    let active_runs = app.read().active_runs(project_id).await?;
    Ok(Standing { project_id, caps, usage, active_runs, now })
}

/// Returns those of these projects whose quota keeps runs from starting.
pub(super) async fn held_among(
    app: &App,
    projects: BTreeSet<ProjectId>,
) -> Result<BTreeSet<ProjectId>, Problem> {
    let held = stream::iter(projects).map(async |project_id| {
        let is_capped = app.read().document(ProjectQuota::KIND, project_id.0).await?.is_some();
        let is_held = is_capped && standing(app, project_id).await?.held().is_some();
        Ok::<_, Problem>(is_held.then_some(project_id))
    });
    let held: Vec<Option<ProjectId>> = held.buffered(PROJECTS_AT_ONCE).try_collect().await?;
    Ok(held.into_iter().flatten().collect())
}

/// Returns all projects whose quota keeps runs from starting.
pub(super) async fn held(app: &App) -> Result<BTreeSet<ProjectId>, Problem> {
    let (mut held, mut before) = (BTreeSet::new(), None);
    loop {
        let page = Page { limit: LIMIT_MAX as u32, before, offset: 0 };
        let capped: Vec<ProjectQuota> = app.page_of(Which::default(), page).await?;
        before = capped.last().map(Kept::id);
        let is_last = capped.len() < page.limit as usize;
        held.extend(held_among(app, capped.into_iter().map(|caps| caps.project_id).collect()).await?);
        if is_last {
            return Ok(held);
        }
    }
}
