//! From what a project is to become to work items: visions, and the drafts of requirements.

use crate::api::Api;
use crate::api::routes;
use crate::documents::Which;
use crate::extract::{Id, Ids, NoParams, Params, Wish};
use crate::problem::Problem;
use crate::state::App;
use crate::wire::Empty;
use crate::wire::list::{Listed, list_query};
use crate::wire::number::{IdInPath, IdNumber, VersionNumber};
use crate::wire::problem::ProblemDocument;
use crate::wire::requirements::{
    ApprovedDraft, Decomposer, Draft, DraftApproval, DraftBody, DraftStatus, Vision, VisionBody,
};
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::IntoResponse;
use serde::Deserialize;
use spalla_domain::requirements::{RequirementsDraft, Status};
use spalla_domain::{DraftId, ProjectId};
use spalla_store::document::KeptVision;
use spalla_store::view::Page;
use spalla_store::{Command, Reply};
use utoipa::IntoParams;

/// Adds the routes.
pub(super) fn add(api: Api) -> Api {
    api.add(routes!(set_vision, get_vision))
        .add(routes!(propose_requirements))
        .add(routes!(list_requirements))
        .add(routes!(get_draft, edit_draft))
        .add(routes!(approve_draft))
        .add(routes!(reject_draft))
}

/// Says what a project is to become; every version is kept, and the newest counts
#[utoipa::path(post, path = "/projects/{id}/vision", tag = "requirements", params(IdInPath),
    request_body(content = VisionBody, example = json!({"text": "# Shop\n- Build the cart\n- Deploy it after that"})),
    responses((status = 201, description = "The new version.", body = Vision)))]
async fn set_vision(
    State(app): State<App>,
    Id(project_id): Id<ProjectId>,
    wish: Wish<VisionBody>,
) -> Result<impl IntoResponse, Problem> {
    let command = Command::SetVision { project_id, text: wish.body.into_text()? };
    match app.execute(command, wish.key).await? {
        Reply::Vision { version } => {
            let location = [(header::LOCATION, format!("/projects/{project_id}/vision?version={version}"))];
            Ok((StatusCode::CREATED, location, Json(vision(&app, project_id, Some(version)).await?)))
        }
        other => Err(Problem::unexpected_reply(&other)),
    }
}

/// Which version is shown.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct VisionQuery {
    /// This version; the newest when left out.
    #[param(inline)]
    version: Option<VersionNumber>,
}

/// Shows what a project is to become
#[utoipa::path(get, path = "/projects/{id}/vision", tag = "requirements", params(IdInPath, VisionQuery),
    responses((status = 200, description = "The vision.", body = Vision)))]
async fn get_vision(
    State(app): State<App>,
    Id(project_id): Id<ProjectId>,
    Params(query): Params<VisionQuery>,
) -> Result<Json<Vision>, Problem> {
    super::projects::find(&app, project_id).await?;
    Ok(Json(vision(&app, project_id, query.version.map(VersionNumber::small)).await?))
}

/// Reads a version of a vision, or the newest.
async fn vision(app: &App, project_id: ProjectId, version: Option<u32>) -> Result<Vision, Problem> {
    let newest = nth_vision(app, project_id, 0).await?.ok_or_else(|| {
        Problem::from(spalla_domain::Refusal::not_found("the vision of project", project_id))
            .mend(format!("give it one: POST /projects/{project_id}/vision"))
    })?;
    let newest_version = newest.vision.version;
    let found = match version.map(|version| newest_version.checked_sub(version)) {
        None | Some(Some(0)) => Some(newest),
        // Versions have no gaps, so the newest tells how far back one lies.
        Some(Some(back)) => nth_vision(app, project_id, back).await?,
        Some(None) => None,
    };
    let what = format!("version {} of the vision of project", version.unwrap_or(newest_version));
    found.map(|kept| kept.vision.into()).ok_or_else(|| Problem::not_found(&what, project_id))
}

/// Reads a vision by how many came after it.
async fn nth_vision(app: &App, project_id: ProjectId, back: u32) -> Result<Option<KeptVision>, Problem> {
    let page = Page { limit: 1, before: None, offset: back };
    Ok(app.page_of(Which::of(project_id.0), page).await?.pop())
}

/// How the requirements are found.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ProposeQuery {
    /// By rules or by a model; by rules when left out.
    #[param(inline)]
    decomposer: Option<Decomposer>,
}

/// Derives a draft of requirements from the newest vision
#[utoipa::path(post, path = "/projects/{id}/requirements/propose", tag = "requirements",
    params(IdInPath, ProposeQuery), request_body = Option<Empty>,
    responses((status = 201, description = "The new draft, which a person decides.", body = Draft),
        (status = 409, description = "The project has no vision (`no_vision`), or `decomposer=llm` was asked for and the \
            server has no provider of models (`no_provider`): leave the decomposer out then, and rules derive the draft.",
            body = ProblemDocument, content_type = "application/problem+json")))]
async fn propose_requirements(
    State(app): State<App>,
    Id(project_id): Id<ProjectId>,
    wish: Wish<Empty, ProposeQuery>,
) -> Result<impl IntoResponse, Problem> {
    if wish.params.decomposer == Some(Decomposer::Llm) {
        super::projects::find(&app, project_id).await?;
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "no_provider",
            "this server has no provider of models, so that no model can derive a draft",
        )
        .mend("leave the decomposer out, or ask for decomposer=heuristic"));
    }
    match app.execute(Command::ProposeRequirements { project_id }, wish.key).await? {
        Reply::Draft { id, .. } => {
            let location = [(header::LOCATION, format!("/projects/{project_id}/requirements/{id}"))];
            Ok((StatusCode::CREATED, location, Json(show(&app, project_id, id).await?)))
        }
        other => Err(Problem::unexpected_reply(&other)),
    }
}

list_query! {
    /// Which drafts are shown.
    DraftsQuery {
        /// In this state.
        #[param(inline)]
        status: Option<DraftStatus>,
    }
}

/// Lists the drafts of requirements of a project, newest first
#[utoipa::path(get, path = "/projects/{id}/requirements", tag = "requirements", params(IdInPath, DraftsQuery),
    responses((status = 200, description = "The drafts.", body = Vec<Draft>)))]
async fn list_requirements(
    State(app): State<App>,
    Id(project_id): Id<ProjectId>,
    uri: Uri,
    Params(query): Params<DraftsQuery>,
) -> Result<Listed<Draft>, Problem> {
    super::projects::find(&app, project_id).await?;
    let status = query.status.map(|status| Status::from(status).as_str());
    let which = Which { status, ..Which::of(project_id.0) };
    app.list_of(which, &uri, query.paging(), <Draft as From<RequirementsDraft>>::from).await
}

/// The path of a draft, for the document.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "the path is read by `Ids`; this describes it")]
struct DraftInPath {
    /// The project.
    #[param(inline)]
    id: IdNumber,
    /// The draft.
    #[param(inline)]
    draft: IdNumber,
}

/// Shows a draft of requirements
#[utoipa::path(get, path = "/projects/{id}/requirements/{draft}", tag = "requirements", params(DraftInPath),
    responses((status = 200, description = "The draft.", body = Draft)))]
async fn get_draft(
    State(app): State<App>,
    Ids(project_id, id): Ids<ProjectId, DraftId>,
    _: Params<NoParams>,
) -> Result<Json<Draft>, Problem> {
    Ok(Json(show(&app, project_id, id).await?))
}

/// Replaces the items of a draft that nobody has decided
#[utoipa::path(put, path = "/projects/{id}/requirements/{draft}", tag = "requirements", params(DraftInPath),
    request_body(content = DraftBody, example = json!({"items": [
        {"title": "Build the cart", "priority": 7}, {"title": "Deploy it", "labels": ["k8s"], "depends_on": [0]}]})),
    responses((status = 200, description = "The draft as it is now.", body = Draft)))]
async fn edit_draft(
    State(app): State<App>,
    Ids(project_id, id): Ids<ProjectId, DraftId>,
    wish: Wish<DraftBody>,
) -> Result<Json<Draft>, Problem> {
    show(&app, project_id, id).await?;
    app.execute(Command::EditDraft { id, items: wish.body.into_items()? }, wish.key).await?;
    Ok(Json(show(&app, project_id, id).await?))
}

/// What comes with a yes, in the query.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ApproveQuery {
    /// Makes the work items and their dependencies at once; may stand in the body as well.
    create_work_items: Option<bool>,
}

/// Says yes to a draft, and makes the work items of it where that is asked for
#[utoipa::path(post, path = "/projects/{id}/requirements/{draft}/approve", tag = "requirements",
    params(DraftInPath, ApproveQuery),
    request_body(content = Option<DraftApproval>, example = json!({"create_work_items": true})),
    responses((status = 200, description = "The draft, and what was made of it.", body = ApprovedDraft)))]
async fn approve_draft(
    State(app): State<App>,
    Ids(project_id, id): Ids<ProjectId, DraftId>,
    wish: Wish<DraftApproval, ApproveQuery>,
) -> Result<Json<ApprovedDraft>, Problem> {
    show(&app, project_id, id).await?;
    let create_work_items = match (wish.params.create_work_items, wish.body.create_work_items) {
        (Some(query), Some(body)) if query != body => {
            let message = "the query says the opposite of the body";
            return Err(Problem::invalid("create_work_items", message).mend("say it once"));
        }
        (query, body) => query.or(body).unwrap_or(false),
    };
    match app.execute(Command::DecideDraft { id, approved: true, create_work_items }, wish.key).await? {
        Reply::Draft { work_items, .. } => {
            Ok(Json(ApprovedDraft::new(show(&app, project_id, id).await?, work_items)))
        }
        other => Err(Problem::unexpected_reply(&other)),
    }
}

/// Says no to a draft
#[utoipa::path(post, path = "/projects/{id}/requirements/{draft}/reject", tag = "requirements",
    params(DraftInPath), request_body = Option<Empty>,
    responses((status = 200, description = "The draft as it is now.", body = Draft)))]
async fn reject_draft(
    State(app): State<App>,
    Ids(project_id, id): Ids<ProjectId, DraftId>,
    wish: Wish<Empty>,
) -> Result<Json<Draft>, Problem> {
    show(&app, project_id, id).await?;
    let command = Command::DecideDraft { id, approved: false, create_work_items: false };
    app.execute(command, wish.key).await?;
    Ok(Json(show(&app, project_id, id).await?))
}

/// Reads a draft of a project; one of another project does not exist here.
async fn show(app: &App, project_id: ProjectId, id: DraftId) -> Result<Draft, Problem> {
    let draft: Option<RequirementsDraft> = app.kept(id.0).await?;
    let draft = draft.filter(|draft| draft.project_id == project_id);
    draft.map(Into::into).ok_or_else(|| Problem::not_found("requirements draft", id))
}
