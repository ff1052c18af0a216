//! Where the thing belongs that a path names.

use super::Place;
use crate::principal::Principal;
use crate::problem::Problem;
use crate::state::App;
use axum::RequestPartsExt;
use axum::extract::RawPathParams;
use axum::http::request::Parts;
use spalla_domain::access::Target;
use spalla_domain::id::ID_MAX;
use spalla_domain::message::Message;
use spalla_domain::{ApprovalId, ProjectId, RunId, WorkItemId};
use spalla_store::document::{KeptInfoRequest, KeptSchedule};

/// Returns the id that a path names first: what is beneath it belongs to it, and the route looks whether it does.
pub(super) fn first_id(params: &RawPathParams) -> Result<i64, Problem> {
    let text = params.iter().find(|(name, _)| *name == "id").map(|(_, text)| text).unwrap_or_default();
    let plain =
        text.starts_with(|c: char| ('1'..='9').contains(&c)) && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|id| plain && *id <= ID_MAX).ok_or_else(|| Problem::no_id(text))
}

/// Finds where a thing belongs. What does not exist belongs nowhere, and nobody who is limited sees that it is missing.
pub(super) async fn find(app: &App, caller: &Principal, place: Place, id: i64) -> Result<Target, Problem> {
    match place {
        Place::Everywhere | Place::Named | Place::Open => Ok(Target::default()),
        Place::Project => Ok(Target { project_id: Some(ProjectId(id)), ..Target::default() }),
        Place::WorkItem => item(app, WorkItemId(id)).await,
        Place::Run => run(app, caller, RunId(id)).await,
        Place::Approval => match app.read().approval(ApprovalId(id)).await? {
            Some(found) => item(app, found.approval.work_item_id).await,
            None => Ok(Target::default()),
        },
        Place::InfoRequest => match app.kept::<KeptInfoRequest>(id).await? {
            Some(kept) => run(app, caller, kept.request.run_id).await,
            None => Ok(Target::default()),
        },
        Place::Message => {
            let project_id = app.kept::<Message>(id).await?.map(|message| message.project_id);
            Ok(Target { project_id, ..Target::default() })
        }
        Place::Schedule => match app.kept::<KeptSchedule>(id).await? {
            Some(kept) => item(app, kept.schedule.spec.work_item_id).await,
            None => Ok(Target::default()),
        },
    }
}

async fn item(app: &App, id: WorkItemId) -> Result<Target, Problem> {
    let found = app.read().work_item(id).await?;
    let project_id = found.map(|view| view.item.project_id);
    let work_item_id = project_id.map(|_| id);
    Ok(Target { project_id, work_item_id, ..Target::default() })
}

async fn run(app: &App, caller: &Principal, id: RunId) -> Result<Target, Problem> {
    let Some(run) = app.read().run(id).await? else { return Ok(Target::default()) };
    Ok(Target { is_held: caller.holds(&run), ..run.target() })
}

/// Says that the thing that a path names does not exist, in the words of its route.
pub(super) async fn not_found(place: Place, parts: &mut Parts) -> Problem {
    let what = match place {
        Place::Everywhere | Place::Named | Place::Open => return Problem::no_route(parts.uri.path()),
        Place::Project => "project",
        Place::WorkItem => "work item",
        Place::Run => "run",
        Place::Approval => "approval",
        Place::InfoRequest => "info request",
        Place::Schedule => "schedule",
        Place::Message => "message",
    };
    let id = match parts.extract::<RawPathParams>().await {
        Ok(params) => first_id(&params),
        Err(_) => return Problem::no_route(parts.uri.path()),
    };
    id.map_or_else(|problem| problem, |id| Problem::not_found(what, id))
}
