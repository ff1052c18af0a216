//! Scope: what a command names has to be within what its sender may see. What is not does not exist for them, and is
//! refused in the same words as what does not exist at all.

use crate::command::{Command, EnqueueWish, PlannedItem, Requeued, RunEnd, Scope, Sender};
use crate::desk::{Answer, Desk, Run};
use crate::document::{Kept, KeptInfoRequest, KeptSchedule};
use crate::error::ExecuteError;
use crate::tx::Tx;
use spalla_domain::access::Target;
use spalla_domain::message::Message;
use spalla_domain::problem::Code;
use spalla_domain::requirements::RequirementsDraft;
use spalla_domain::{
    ApprovalId, InfoRequestId, MessageId, ProjectId, Refusal, RunId, ScheduleId, WorkItemId,
};
use std::sync::Arc;

/// Refuses a command that names anything beyond the scope of the desk. What does not exist is the operation's to refuse.
pub(crate) async fn check<T: Tx>(desk: &mut Desk<'_, T>, command: &Command) -> Answer<()> {
    let Some(scope) = desk.scope.clone() else { return Ok(()) };
    match command {
        Command::UpdateProject { id, .. }
        | Command::ArchiveProject { id }
        | Command::SetVision { project_id: id, .. }
        | Command::ProposeRequirements { project_id: id }
        | Command::SetQuota { project_id: id, .. } => project(&scope, *id),
        Command::CreateWorkItems { items, .. } => planned(desk, &scope, items).await,
        Command::UpdateWorkItem { id, .. }
        | Command::ArchiveWorkItem { id }
        | Command::RequestApproval { work_item_id: id, .. }
        | Command::Start { work_item_id: id }
        | Command::Requeue { target: Requeued::WorkItem(id), .. } => item(desk, &scope, *id).await,
        Command::Enqueue { work_item_id, depends_on, .. } => {
            items(desk, &scope, [Some(*work_item_id), *depends_on]).await
        }
        Command::EnqueueAll { wishes } => enqueued(desk, &scope, wishes).await,
        Command::DecideApproval { id, .. } => approval(desk, &scope, *id).await,
        Command::AnswerInfo { id, .. } => info_request(desk, &scope, *id).await,
        Command::EditDraft { id, .. } | Command::DecideDraft { id, .. } => {
            let Some(draft) = document::<_, RequirementsDraft>(desk, id.0).await? else { return Ok(()) };
            within(scope.projects.has(draft.project_id), "requirements draft", id)
        }
        Command::SendMessage { sender: Sender::Named { project_id, .. }, message } => {
            project_id.iter().try_for_each(|id| project(&scope, *id))?;
            match message.in_reply_to {
                Some(id) => self::message(desk, &scope, id).await,
                None => Ok(()),
            }
        }
        Command::AcknowledgeMessage { id, reader: None } => message(desk, &scope, *id).await,
        Command::CreateSchedule(spec) => item(desk, &scope, spec.work_item_id).await,
        Command::UpdateSchedule { id, patch } => {
            schedule(desk, &scope, *id).await?;
            items(desk, &scope, [patch.work_item_id, None]).await
        }
        Command::RemoveSchedule { id } => schedule(desk, &scope, *id).await,
        Command::Requeue { target: Requeued::Run(_), .. }
        | Command::CancelRun { .. }
        | Command::PauseRun { .. }
        | Command::ResumeRun { .. }
        | Command::ClaimRun { .. }
        | Command::Heartbeat { .. }
        | Command::HandBack(_)
        | Command::Complete(_)
        | Command::AskInfo { .. }
        | Command::ReportCommands { .. }
        | Command::ReportRefusedHosts { .. }
        | Command::TellEvents { .. }
        | Command::SendMessage { sender: Sender::Run(_), .. }
        | Command::AcknowledgeMessage { reader: Some(_), .. }
        | Command::BeginUpload { .. }
        | Command::AppendLogs(_)
        | Command::StoreArtifact(_) => check_of_run(desk, &scope, command).await,
        // Each run of an exchange is looked at by itself, and a claim picks within the scope.
        Command::Exchange(_) | Command::Claim(_) => Ok(()),
        // They name nothing that belongs to a project.
        Command::CreateProject(_)
        | Command::Tick { .. }
        | Command::KeepChunk { .. }
        | Command::DropUpload { .. }
        | Command::CreateToken(_)
        | Command::RevokeToken { .. }
        | Command::SetAlias(_)
        | Command::RemoveAlias { .. }
        | Command::TellRegistry(_)
        | Command::CreateWebhook(_)
        | Command::RemoveWebhook { .. }
        | Command::NoteDelivery(_)
        | Command::NoteAgents { .. }
        // Whoever tells it was looked at by the session's own record.
        | Command::NoteSession { .. }
        | Command::Reseal { .. }
        | Command::TakeOnce
        | Command::Record(_)
        | Command::KeepTime { .. }
        | Command::ForgetWorker { .. } => Ok(()),
    }
}

/// Looks at a command about one run. What is said of a run is its holder's to say; what is done to it is not.
async fn check_of_run<T: Tx>(desk: &mut Desk<'_, T>, scope: &Scope, command: &Command) -> Answer<()> {
    let (id, by_holder) = match command {
        Command::Requeue { target: Requeued::Run(id), .. }
        | Command::CancelRun { run_id: id }
        | Command::PauseRun { run_id: id }
        | Command::ResumeRun { run_id: id }
        // Nobody holds it yet.
        | Command::ClaimRun { run_id: id, .. } => (*id, false),
        Command::Heartbeat { heartbeat, .. } | Command::HandBack(heartbeat) => (heartbeat.run_id, true),
        Command::Complete(end) => (end.run_id, true),
        Command::AskInfo { run_id, .. } | Command::BeginUpload { run_id, .. } => (*run_id, true),
        Command::ReportCommands { holder, .. }
        | Command::ReportRefusedHosts { holder, .. }
        | Command::TellEvents { holder, .. }
        | Command::SendMessage { sender: Sender::Run(holder), .. }
        | Command::AcknowledgeMessage { reader: Some(holder), .. } => (holder.run_id, true),
        Command::AppendLogs(batch) => (batch.run_id, true),
        Command::StoreArtifact(new) => (new.run_id, true),
        _ => return Ok(()),
    };
    run(desk, scope, id, by_holder).await?;
    // Only a person says something without a token.
    let is_without_token = matches!(
        command,
        Command::Complete(RunEnd { fencing_token: None, .. })
            | Command::BeginUpload { fencing_token: None, .. }
    ) || matches!(command, Command::StoreArtifact(new) if new.fencing_token.is_none());
    if is_without_token && (scope.holder.is_some() || scope.run_id.is_some()) {
        let detail = format!("a worker says something of run {id} under the token of its lease alone");
        return Err(Refusal::new(Code::StaleToken, detail).mend("send the lease's token").into());
    }
    Ok(())
}

/// Refuses a run that the sender does not hold, where they are limited to what they hold.
pub(crate) async fn check_held<T: Tx>(desk: &mut Desk<'_, T>, id: RunId) -> Answer<()> {
    match desk.scope.clone() {
        Some(scope) => run(desk, &scope, id, true).await,
        None => Ok(()),
    }
}

fn within(is_within: bool, what: &str, id: impl std::fmt::Display) -> Answer<()> {
    if is_within { Ok(()) } else { Err(Refusal::not_found(what, id).into()) }
}

fn project(scope: &Scope, id: ProjectId) -> Answer<()> {
    within(scope.has(&Target { project_id: Some(id), ..Target::default() }), "project", id)
}

async fn planned<T: Tx>(desk: &mut Desk<'_, T>, scope: &Scope, new: &[PlannedItem]) -> Answer<()> {
    for planned in new {
        project(scope, planned.item.project_id)?;
        for edge in &planned.item.depends_on {
            item(desk, scope, edge.id).await?;
        }
    }
    Ok(())
}

async fn enqueued<T: Tx>(desk: &mut Desk<'_, T>, scope: &Scope, wishes: &[EnqueueWish]) -> Answer<()> {
    let mut named = Vec::with_capacity(wishes.len());
    for wish in wishes {
        named.push(wish.work_item_id);
        named.extend(wish.depends_on);
    }
    desk.load_items(named).await?;
    for wish in wishes {
        items(desk, scope, [Some(wish.work_item_id), wish.depends_on]).await?;
    }
    Ok(())
}

async fn items<T: Tx>(desk: &mut Desk<'_, T>, scope: &Scope, ids: [Option<WorkItemId>; 2]) -> Answer<()> {
    for id in ids.into_iter().flatten() {
        item(desk, scope, id).await?;
    }
    Ok(())
}

async fn item<T: Tx>(desk: &mut Desk<'_, T>, scope: &Scope, id: WorkItemId) -> Answer<()> {
    within(has_item(desk, scope, id).await?, "work item", id)
}

async fn has_item<T: Tx>(desk: &mut Desk<'_, T>, scope: &Scope, id: WorkItemId) -> Answer<bool> {
    let project_id = desk.item(id).await?.head.project_id;
    Ok(scope.has(&Target { project_id: Some(project_id), work_item_id: Some(id), ..Target::default() }))
}

/// Looks at a run: its project, which run it is, and who holds it or held it last.
async fn run<T: Tx>(desk: &mut Desk<'_, T>, scope: &Scope, id: RunId, by_holder: bool) -> Answer<()> {
    let (project_id, item, holder) = match desk.run(id).await? {
        Run::Live(id) => {
            let item = desk.item(id).await?;
            let lease = item.live_run().and_then(|run| run.lease.as_ref());
            (item.head.project_id, id, lease.map(|lease| lease.worker.clone()))
        }
        Run::Ended(run) => (run.project_id, run.work_item_id, run.worker.clone()),
    };
    let (project_id, work_item_id) = (Some(project_id), Some(item));
    let target = Target { project_id, work_item_id, run_id: Some(id), ..Target::default() };
    let is_it = scope.run_id.is_none_or(|only| only == id);
    let is_held = !by_holder || scope.holds(holder.as_ref());
    within(scope.has(&target) && is_it && is_held, "run", id)
}

async fn approval<T: Tx>(desk: &mut Desk<'_, T>, scope: &Scope, id: ApprovalId) -> Answer<()> {
    let Some(found) = desk.tx.approvals(&[id]).await?.pop() else { return Ok(()) };
    within(has_item(desk, scope, found.work_item_id).await?, "approval", id)
}

async fn info_request<T: Tx>(desk: &mut Desk<'_, T>, scope: &Arc<Scope>, id: InfoRequestId) -> Answer<()> {
    let Some(kept) = document::<_, KeptInfoRequest>(desk, id.0).await? else { return Ok(()) };
    match run(desk, scope, kept.request.run_id, false).await {
        Err(ExecuteError::Refused(_)) => within(false, "info request", id),
        looked_at => looked_at,
    }
}

async fn message<T: Tx>(desk: &mut Desk<'_, T>, scope: &Scope, id: MessageId) -> Answer<()> {
    let Some(message) = document::<_, Message>(desk, id.0).await? else { return Ok(()) };
    within(scope.projects.has(message.project_id), "message", id)
}

async fn schedule<T: Tx>(desk: &mut Desk<'_, T>, scope: &Scope, id: ScheduleId) -> Answer<()> {
    let Some(kept) = document::<_, KeptSchedule>(desk, id.0).await? else { return Ok(()) };
    within(has_item(desk, scope, kept.schedule.spec.work_item_id).await?, "schedule", id)
}

async fn document<T: Tx, K: Kept>(desk: &mut Desk<'_, T>, id: i64) -> Answer<Option<K>> {
    Ok(desk.document(id).await?)
}
