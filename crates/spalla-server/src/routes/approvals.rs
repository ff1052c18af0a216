//! Approvals: asking for a person's yes or no, and giving it.

use crate::api::Api;
use crate::extract::{Id, NoParams, Params, Wish};
use crate::problem::Problem;
use crate::state::App;
use crate::wire::approval::{Approval, NewApproval, Verdict};
use crate::wire::list::{LIMIT_MAX, Listed, list_query};
use crate::wire::number::IdInPath;
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::IntoResponse;
use spalla_domain::approval::Decision;
use spalla_domain::{ApprovalId, WorkItemId};
use spalla_store::view::Page;
use spalla_store::{Command, Reply};
use utoipa_axum::routes;

/// Adds the routes.
pub(super) fn add(api: Api) -> Api {
    api.add(routes!(request_approval, list_approvals))
        .add(routes!(get_approval))
        .add(routes!(approve))
        .add(routes!(reject))
}

list_query! {
    /// Which approvals of the work item are shown.
    ApprovalsQuery {}
}

/// Asks for an approval, which holds the work item until a person says yes
#[utoipa::path(post, path = "/work-items/{id}/approvals", tag = "approvals", params(IdInPath),
    request_body = Option<NewApproval>, responses((status = 201, description = "The new approval.", body = Approval)))]
async fn request_approval(
    State(app): State<App>,
    Id(work_item_id): Id<WorkItemId>,
    wish: Wish<NewApproval>,
) -> Result<impl IntoResponse, Problem> {
    let command = Command::RequestApproval { work_item_id, kind: wish.body.kind(), need: Default::default() };
    match app.execute(command, wish.key).await? {
        Reply::Approval(id) => {
            let location = [(header::LOCATION, format!("/work-items/approvals/{id}"))];
            Ok((StatusCode::CREATED, location, Json(show(&app, id).await?)))
        }
        other => Err(Problem::unexpected_reply(&other)),
    }
}

/// Lists the approvals of a work item, newest first
#[utoipa::path(get, path = "/work-items/{id}/approvals", tag = "approvals", params(IdInPath, ApprovalsQuery),
    responses((status = 200, description = "Its approvals.", body = Vec<Approval>)))]
async fn list_approvals(
    State(app): State<App>,
    Id(id): Id<WorkItemId>,
    uri: Uri,
    Params(query): Params<ApprovalsQuery>,
) -> Result<Listed<Approval>, Problem> {
    super::work_items::find(&app, id).await?;
    let paging = query.paging();
    let found = app.read().approvals(Some(id), false, paging.page).await?;
    let total = if paging.count { Some(count(&app, id).await?) } else { None };
    let last = found.last().map(|view| view.approval.id.0);
    Ok(Listed::new(found.into_iter().map(Into::into).collect(), last, &uri, paging, total))
}

/// Counts an item's approvals page by page: an item has a handful.
async fn count(app: &App, id: WorkItemId) -> Result<u64, Problem> {
    let (mut total, mut page) = (0, Page { limit: LIMIT_MAX as u32, before: None, offset: 0 });
    loop {
        let found = app.read().approvals(Some(id), false, page).await?;
        total += found.len() as u64;
        match found.last() {
            Some(last) if found.len() >= page.limit as usize => page.before = Some(last.approval.id.0),
            _ => return Ok(total),
        }
    }
}

/// Shows an approval
#[utoipa::path(get, path = "/work-items/approvals/{id}", tag = "approvals", params(IdInPath),
    responses((status = 200, description = "The approval.", body = Approval)))]
async fn get_approval(
    State(app): State<App>,
    Id(id): Id<ApprovalId>,
    _: Params<NoParams>,
) -> Result<Json<Approval>, Problem> {
    Ok(Json(show(&app, id).await?))
}

/// Says yes
#[utoipa::path(post, path = "/work-items/approvals/{id}/approve", tag = "approvals", params(IdInPath),
    request_body = Option<Verdict>, responses((status = 200, description = "The approval as it is now.", body = Approval)))]
async fn approve(
    State(app): State<App>,
    Id(id): Id<ApprovalId>,
    wish: Wish<Verdict>,
) -> Result<Json<Approval>, Problem> {
    decide(&app, id, Decision::Approve, wish).await
}

/// Says no; the work item does not start
#[utoipa::path(post, path = "/work-items/approvals/{id}/reject", tag = "approvals", params(IdInPath),
    request_body = Option<Verdict>, responses((status = 200, description = "The approval as it is now.", body = Approval)))]
async fn reject(
    State(app): State<App>,
    Id(id): Id<ApprovalId>,
    wish: Wish<Verdict>,
) -> Result<Json<Approval>, Problem> {
    decide(&app, id, Decision::Reject, wish).await
}

async fn decide(
    app: &App,
    id: ApprovalId,
    decision: Decision,
    wish: Wish<Verdict>,
) -> Result<Json<Approval>, Problem> {
    let by = wish.body.by.map(Into::into);
    let note = wish.body.note.map(Into::into);
    app.execute(Command::DecideApproval { id, decision, by, note, roles: vec![] }, wish.key).await?;
    Ok(Json(show(app, id).await?))
}

async fn show(app: &App, id: ApprovalId) -> Result<Approval, Problem> {
    let view = app.read().approval(id).await?;
    view.map(Into::into).ok_or_else(|| Problem::not_found("approval", id))
}
