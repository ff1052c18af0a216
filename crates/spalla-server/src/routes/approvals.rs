//! Approvals: asking for a person's yes or no, and giving it.

use crate::api::Api;
use crate::api::routes;
use crate::documents::Which;
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
use spalla_store::document::ApprovalVotes;
use spalla_store::view::{ApprovalView, Page};
use spalla_store::{Command, Reply};
use std::collections::BTreeMap;

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
    request_body(content = Option<NewApproval>, example = json!({"kind": "deploy", "role": "lead", "count": 2})),
    responses((status = 201, description = "The new approval.", body = Approval)))]
async fn request_approval(
    State(app): State<App>,
    Id(work_item_id): Id<WorkItemId>,
    wish: Wish<NewApproval>,
) -> Result<impl IntoResponse, Problem> {
    let kind = wish.body.kind();
    let command = Command::RequestApproval { work_item_id, kind, need: wish.body.into_need() };
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
    let mut votes = votes_among(&app, id, &found).await?;
    let shown = found.into_iter().map(|view| {
        let kept = votes.remove(&view.approval.id);
        Approval::new(view, kept)
    });
    Ok(Listed::new(shown.collect(), last, &uri, paging, total))
}

/// Reads the votes of a page of an item's approvals.
async fn votes_among(
    app: &App,
    id: WorkItemId,
    page: &[ApprovalView],
) -> Result<BTreeMap<ApprovalId, ApprovalVotes>, Problem> {
    let Some(newest) = page.first() else { return Ok(BTreeMap::new()) };
    // Only some approvals have votes, so those of a page are never more than its entries.
    let limit = u32::try_from(page.len()).unwrap_or(u32::MAX);
    let page = Page { limit, before: Some(newest.approval.id.0 + 1), offset: 0 };
    let votes: Vec<ApprovalVotes> = app.page_of(Which::of(id.0), page).await?;
    Ok(votes.into_iter().map(|kept| (kept.approval_id, kept)).collect())
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
    request_body(content = Option<Verdict>, example = json!({"by": "ada", "note": "after the backup"})),
    responses((status = 200, description = "The approval as it is now.", body = Approval)))]
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
    let (by, roles) = match wish.key.reach.principal() {
        // Nobody speaks for somebody else, or has roles that they say they have.
        Some(principal) => (Some(principal.name.clone()), principal.approval_roles()),
        // The administrator has every role.
        None => {
            let votes: Option<ApprovalVotes> = app.kept(id.0).await?;
            (by, votes.and_then(|kept| kept.need.role).into_iter().collect())
        }
    };
    app.execute(Command::DecideApproval { id, decision, by, note, roles }, wish.key).await?;
    Ok(Json(show(app, id).await?))
}

async fn show(app: &App, id: ApprovalId) -> Result<Approval, Problem> {
    let view = app.read().approval(id).await?.ok_or_else(|| Problem::not_found("approval", id))?;
    Ok(Approval::new(view, app.kept(id.0).await?))
}
