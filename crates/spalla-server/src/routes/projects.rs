//! Projects.

use crate::access::Reach;
use crate::api::Api;
use crate::api::routes;
use crate::extract::{Id, NoParams, Params, Wish};
use crate::problem::Problem;
use crate::state::App;
use crate::wire::Empty;
use crate::wire::list::{Listed, list_query};
use crate::wire::number::IdInPath;
use crate::wire::project::{NewProject, Project, ProjectChange};
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::IntoResponse;
use spalla_domain::{ProjectId, project};
use spalla_store::view::Page;
use spalla_store::{Command, Reply};

/// Adds the routes.
pub(super) fn add(api: Api) -> Api {
    api.add(routes!(create_project, list_projects)).add(routes!(get_project, update_project, archive_project))
}

list_query! {
    /// Which projects are shown.
    ProjectsQuery {}
}

/// Makes a project
#[utoipa::path(post, path = "/projects/", tag = "projects", request_body = NewProject,
    responses((status = 201, description = "The new project.", body = Project)))]
async fn create_project(
    State(app): State<App>,
    wish: Wish<NewProject>,
) -> Result<impl IntoResponse, Problem> {
    match app.execute(Command::CreateProject(wish.body.into()), wish.key).await? {
        Reply::Project(id) => {
            let location = [(header::LOCATION, format!("/projects/{id}"))];
            Ok((StatusCode::CREATED, location, Json(show(&app, id).await?)))
        }
        other => Err(Problem::unexpected_reply(&other)),
    }
}

/// Lists the projects that are not put away, newest first
#[utoipa::path(get, path = "/projects/", tag = "projects", params(ProjectsQuery),
    responses((status = 200, description = "The projects.", body = Vec<Project>)))]
async fn list_projects(
    State(app): State<App>,
    uri: Uri,
    reach: Reach,
    Params(query): Params<ProjectsQuery>,
) -> Result<Listed<Project>, Problem> {
    let paging = query.paging();
    let found = page(&app, &reach, paging.page).await?;
    let total = if paging.count { Some(count(&app, &reach).await?) } else { None };
    let last = found.last().map(|project| project.id.0);
    Ok(Listed::new(found.into_iter().map(Into::into).collect(), last, &uri, paging, total))
}

/// Shows a project, put away or not
#[utoipa::path(get, path = "/projects/{id}", tag = "projects", params(IdInPath),
    responses((status = 200, description = "The project.", body = Project)))]
async fn get_project(
    State(app): State<App>,
    Id(id): Id<ProjectId>,
    _: Params<NoParams>,
) -> Result<Json<Project>, Problem> {
    Ok(Json(show(&app, id).await?))
}

/// Changes a project
#[utoipa::path(patch, path = "/projects/{id}", tag = "projects", request_body = Option<ProjectChange>,
    params(IdInPath),
    responses((status = 200, description = "The project as it is now.", body = Project)))]
async fn update_project(
    State(app): State<App>,
    Id(id): Id<ProjectId>,
    wish: Wish<ProjectChange>,
) -> Result<Json<Project>, Problem> {
    app.execute(Command::UpdateProject { id, patch: wish.body.into() }, wish.key).await?;
    Ok(Json(show(&app, id).await?))
}

/// Puts a project away; refused while runs of it are not over
#[utoipa::path(delete, path = "/projects/{id}", tag = "projects", params(IdInPath),
    responses((status = 204, description = "It is put away.")))]
async fn archive_project(
    State(app): State<App>,
    Id(id): Id<ProjectId>,
    wish: Wish<Empty>,
) -> Result<StatusCode, Problem> {
    app.execute(Command::ArchiveProject { id }, wish.key).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Reads a page of the projects that a caller reaches.
pub(super) async fn page(app: &App, reach: &Reach, page: Page) -> Result<Vec<project::Project>, Problem> {
    let pages = reach.pages(None, page)?;
    let mut found = vec![];
    for id in &pages.projects {
        let Some(id) = *id else { return Ok(app.read().projects(page).await?) };
        let is_before = page.before.is_none_or(|before| id.0 < before);
        let kept = app.read().project(id).await?.filter(|found| found.archived_at.is_none() && is_before);
        found.extend(kept.into_iter().skip(pages.of_each.offset as usize));
    }
    Ok(pages.merged(found, |project| project.id.0))
}

/// Counts the projects that a caller reaches.
pub(super) async fn count(app: &App, reach: &Reach) -> Result<u64, Problem> {
    let mut count = 0;
    for id in reach.each(None) {
        let Some(id) = id else { return Ok(app.read().count_projects().await?) };
        let found = app.read().project(id).await?;
        count += u64::from(found.is_some_and(|found| found.archived_at.is_none()));
    }
    Ok(count)
}

/// Reads a project, or says that it does not exist.
pub(super) async fn find(app: &App, id: ProjectId) -> Result<project::Project, Problem> {
    app.read().project(id).await?.ok_or_else(|| Problem::not_found("project", id))
}

async fn show(app: &App, id: ProjectId) -> Result<Project, Problem> {
    find(app, id).await.map(Into::into)
}
