//! Work items: making, showing, changing, starting.

use crate::access::Reach;
use crate::api::Api;
use crate::api::routes;
use crate::chosen::settle;
use crate::extract::{Id, NoParams, Params, Wish};
use crate::principal::Who;
use crate::problem::Problem;
use crate::state::App;
use crate::wire::list::{Listed, list_query};
use crate::wire::number::{IdInPath, IdNumber};
use crate::wire::run::Run;
use crate::wire::text::Needle;
use crate::wire::work_item::{NewWorkItem, PolicyChange, WorkItem, WorkItemChange, WorkItemStatus};
use crate::wire::{Empty, recipe};
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::IntoResponse;
use spalla_domain::alias::ALIAS_LABEL;
use spalla_domain::session::is_of_sessions;
use spalla_domain::work_item::{self, Policy, Spec, SpecPatch};
use spalla_domain::{ProjectId, WorkItemId};
use spalla_store::view::{Page, RunFilter, WorkItemFilter, WorkItemView};
use spalla_store::{Command, Reply};
use std::sync::Arc;

/// Adds the routes.
pub(super) fn add(api: Api) -> Api {
    api.add(routes!(create_work_item, list_work_items))
        .add(routes!(get_work_item, update_work_item, archive_work_item))
        .add(routes!(set_policy))
        .add(routes!(start_work_item))
        .add(routes!(list_runs_of_work_item))
}

list_query! {
    /// Which work items are shown.
    WorkItemsQuery {
        /// Of this project.
        #[param(inline)]
        project_id: Option<IdNumber>,
        /// In this state; archived ones are shown only when asked for.
        #[param(inline)]
        status: Option<WorkItemStatus>,
        /// With this label.
        #[param(inline)]
        label: Option<Needle>,
        /// With this text in title, description or prompt, in either case.
        #[param(inline)]
        q: Option<Needle>,
    }
}

list_query! {
    /// Which runs of the work item are shown.
    RunsOfItemQuery {}
}

/// Makes a work item
#[utoipa::path(post, path = "/work-items/", tag = "work items", request_body = NewWorkItem,
    responses((status = 201, description = "The new work item.", body = WorkItem)))]
async fn create_work_item(
    State(app): State<App>,
    wish: Wish<NewWorkItem>,
) -> Result<impl IntoResponse, Problem> {
    let mut item = work_item::NewWorkItem::from(wish.body);
    let is_agent = wish.key.reach.principal().is_some_and(|who| matches!(who.kind, Who::Agent(..)));
    if let Some(label) = item.spec.labels.iter().find(|label| is_agent && is_of_sessions(label)) {
        let detail = format!("the label {label:?} is one by which sessions know their own items");
        return Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", detail)
            .mend("leave it out")
            .naming("labels"));
    }
    if is_agent && item.spec.definition.is_some() {
        let detail = "by which definition an agent works is not for an agent to say";
        return Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", detail)
            .mend("name it in agent, or leave it out")
            .naming("definition"));
    }
    item.spec = settled(&app, item.spec).await?.checked()?;
    item.spec.recipe.as_deref().map_or(Ok(()), |yaml| recipe::check(yaml, "recipe"))?;
    match app.execute(Command::CreateWorkItems { items: vec![item.into()], enqueue: false }, wish.key).await?
    {
        Reply::WorkItems(ids) if !ids.is_empty() => {
            let location = [(header::LOCATION, format!("/work-items/{}", ids[0]))];
            Ok((StatusCode::CREATED, location, Json(show(&app, ids[0]).await?)))
        }
        other => Err(Problem::unexpected_reply(&other)),
    }
}

/// Settles by which definition an agent's work is done.
async fn settled(app: &App, mut spec: Spec) -> Result<Spec, Problem> {
    if spec.executor != work_item::Executor::Agent {
        return Ok(spec);
    }
    app.read_aliases().await?;
    let routing = Arc::clone(&app.routing);
    let settled = tokio::task::spawn_blocking(move || settle(&*routing, &mut spec).map(|()| spec)).await;
    settled.map_err(|_| Problem::internal())?
}

/// Whoever names another agent names another definition, or none.
async fn redefined(app: &App, id: WorkItemId, patch: SpecPatch) -> Result<SpecPatch, Problem> {
    let Some(Some(_)) = &patch.agent else { return Ok(patch) };
    let Some(view) = app.read().work_item(id).await? else { return Ok(patch) };
    let mut before = view.item.spec;
    before.labels.retain(|label| !label.starts_with(ALIAS_LABEL));
    let spec = SpecPatch { definition: Some(None), ..patch.clone() }.apply(&before);
    let Spec { agent, definition, labels, .. } = settled(app, spec).await?;
    Ok(SpecPatch { agent: Some(agent), definition: Some(definition), labels: Some(labels), ..patch })
}

/// Lists work items, newest first
#[utoipa::path(get, path = "/work-items/", tag = "work items", params(WorkItemsQuery),
    responses((status = 200, description = "The work items.", body = Vec<WorkItem>)))]
async fn list_work_items(
    State(app): State<App>,
    uri: Uri,
    reach: Reach,
    Params(query): Params<WorkItemsQuery>,
) -> Result<Listed<WorkItem>, Problem> {
    let paging = query.paging();
    let filter = WorkItemFilter {
        project_id: query.project_id.map(|id| ProjectId(id.get())),
        status: query.status.map(Into::into),
        label: query.label.map(Into::into),
        q: query.q.map(Into::into),
    };
    let found = page(&app, &reach, &filter, paging.page).await?;
    let total = if paging.count { Some(count(&app, &reach, &filter).await?) } else { None };
    let last = found.last().map(|view| view.item.id.0);
    Ok(Listed::new(found.into_iter().map(Into::into).collect(), last, &uri, paging, total))
}

/// Shows a work item
#[utoipa::path(get, path = "/work-items/{id}", tag = "work items", params(IdInPath),
    responses((status = 200, description = "The work item.", body = WorkItem)))]
async fn get_work_item(
    State(app): State<App>,
    Id(id): Id<WorkItemId>,
    _: Params<NoParams>,
) -> Result<Json<WorkItem>, Problem> {
    Ok(Json(show(&app, id).await?))
}

/// Changes a work item
#[utoipa::path(patch, path = "/work-items/{id}", tag = "work items", params(IdInPath), request_body = Option<WorkItemChange>,
    responses((status = 200, description = "The work item as it is now.", body = WorkItem)))]
async fn update_work_item(
    State(app): State<App>,
    Id(id): Id<WorkItemId>,
    wish: Wish<WorkItemChange>,
) -> Result<Json<WorkItem>, Problem> {
    let patch = SpecPatch::from(wish.body);
    if let Some(Some(yaml)) = &patch.recipe {
        recipe::check(yaml, "recipe")?;
    }
    let patch = redefined(&app, id, patch).await?;
    let command = Command::UpdateWorkItem { id, patch: Box::new(patch), policy: Policy::default() };
    app.execute(command, wish.key).await?;
    Ok(Json(show(&app, id).await?))
}

/// Puts a work item away; refused while a run of it is not over
#[utoipa::path(delete, path = "/work-items/{id}", tag = "work items", params(IdInPath),
    responses((status = 204, description = "It is put away.")))]
async fn archive_work_item(
    State(app): State<App>,
    Id(id): Id<WorkItemId>,
    wish: Wish<Empty>,
) -> Result<StatusCode, Problem> {
    app.execute(Command::ArchiveWorkItem { id }, wish.key).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Says how failures of this work item are retried, differently from the server's settings
#[utoipa::path(post, path = "/work-items/{id}/policy", tag = "work items", params(IdInPath),
    request_body = Option<PolicyChange>, responses((status = 200, description = "The work item as it is now.", body = WorkItem)))]
async fn set_policy(
    State(app): State<App>,
    Id(id): Id<WorkItemId>,
    wish: Wish<PolicyChange>,
) -> Result<Json<WorkItem>, Problem> {
    let command = Command::UpdateWorkItem { id, patch: Box::default(), policy: wish.body.into() };
    app.execute(command, wish.key).await?;
    Ok(Json(show(&app, id).await?))
}

/// Gives the work item a run at once, if nothing holds it
#[utoipa::path(post, path = "/work-items/{id}/start", tag = "work items", params(IdInPath), request_body = Option<Empty>,
    responses((status = 201, description = "The new run, which nobody holds yet.", body = Run)))]
async fn start_work_item(
    State(app): State<App>,
    Id(id): Id<WorkItemId>,
    wish: Wish<Empty>,
) -> Result<impl IntoResponse, Problem> {
    match app.execute(Command::Start { work_item_id: id }, wish.key).await? {
        Reply::Run(run) => {
            let location = [(header::LOCATION, format!("/work-items/runs/{run}"))];
            Ok((StatusCode::CREATED, location, Json(super::runs::show(&app, run).await?)))
        }
        other => Err(Problem::unexpected_reply(&other)),
    }
}

/// Lists the runs of a work item, newest first
#[utoipa::path(get, path = "/work-items/{id}/runs", tag = "work items", params(IdInPath, RunsOfItemQuery),
    responses((status = 200, description = "Its runs.", body = Vec<Run>)))]
async fn list_runs_of_work_item(
    State(app): State<App>,
    Id(id): Id<WorkItemId>,
    uri: Uri,
    Params(query): Params<RunsOfItemQuery>,
) -> Result<Listed<Run>, Problem> {
    find(&app, id).await?;
    let filter = RunFilter { work_item_id: Some(id), ..RunFilter::default() };
    // The path was looked at.
    super::runs::list(&app, &Reach::all(), filter, &uri, query.paging()).await
}

/// Reads a page of the work items that a filter lets through and a caller reaches.
pub(super) async fn page(
    app: &App,
    reach: &Reach,
    filter: &WorkItemFilter,
    page: Page,
) -> Result<Vec<WorkItemView>, Problem> {
    let pages = reach.pages(filter.project_id, page)?;
    let mut found = vec![];
    for project_id in &pages.projects {
        let filter = WorkItemFilter { project_id: *project_id, ..filter.clone() };
        found.extend(app.read().work_items(filter, pages.of_each).await?);
    }
    Ok(pages.merged(found, |view| view.item.id.0))
}

/// Counts the work items that a filter lets through and a caller reaches.
pub(super) async fn count(app: &App, reach: &Reach, filter: &WorkItemFilter) -> Result<u64, Problem> {
    let mut count = 0;
    for project_id in reach.each(filter.project_id) {
        count += app.read().count_work_items(WorkItemFilter { project_id, ..filter.clone() }).await?;
    }
    Ok(count)
}

/// Reads a work item, or says that it does not exist.
pub(super) async fn find(app: &App, id: WorkItemId) -> Result<WorkItemView, Problem> {
    app.read().work_item(id).await?.ok_or_else(|| Problem::not_found("work item", id))
}

async fn show(app: &App, id: WorkItemId) -> Result<WorkItem, Problem> {
    find(app, id).await.map(Into::into)
}
