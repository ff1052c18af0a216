//! The operations: each loads what it needs on the desk, calls one pure rule and leaves the new state and its facts
//! there. Nothing else changes state, and nothing waits inside them.
//!
//! A command is settled first; commands that pick items finish in a second half, when everything that the batch
//! made eligible is written.

mod agent_states;
mod aliases;
mod append_logs;
mod approval_policy;
mod approvals;
mod artifacts;
mod audit;
mod cancel;
mod claim;
mod complete;
mod dependencies;
mod enqueue;
mod exchange;
mod fair_share;
mod foresee;
mod found_commands;
mod info_requests;
pub(crate) mod keep_time;
mod lease;
mod messages;
mod projects;
mod quotas;
mod refused_hosts;
mod requeue;
mod requirements;
mod run_documents;
mod run_events;
mod schedules;
pub(crate) mod scope;
pub(crate) mod scorecards;
mod start;
pub(crate) mod starvation;
mod stock;
mod tokens;
mod webhooks;
mod work_items;

use crate::command::{Command, Reply, Sealed};
use crate::desk::{Answer, Desk};
use crate::tx::{Result, Tx};
pub(crate) use audit::record;
pub(crate) use foresee::foresee;
use spalla_domain::approval::tally::Vote;
use spalla_domain::{requirements as draft, run};

/// Tells whether a command picks items, and so has a second half.
pub(crate) const fn picks(command: &Command) -> bool {
    matches!(
        command,
        Command::Claim(_)
            | Command::Exchange(_)
            | Command::Tick { .. }
            | Command::KeepTime { .. }
            | Command::ForgetWorker { .. }
    )
}

/// Applies a command, or the first half of one that picks items.
pub(crate) async fn settle<T: Tx>(desk: &mut Desk<'_, T>, command: &Command) -> Answer<Reply> {
    match command {
        Command::CreateProject(new) => projects::create(desk, new).await,
        Command::UpdateProject { id, patch } => projects::update(desk, *id, patch).await,
        Command::ArchiveProject { id } => projects::archive(desk, *id).await,
        Command::CreateWorkItems { items, enqueue } => work_items::create(desk, items, *enqueue).await,
        Command::UpdateWorkItem { id, patch, policy } => work_items::update(desk, *id, patch, *policy).await,
        Command::ArchiveWorkItem { id } => work_items::archive(desk, *id).await,
        Command::RequestApproval { work_item_id, kind, need } => {
            approvals::request(desk, *work_item_id, *kind, need).await
        }
        Command::DecideApproval { id, decision, by, roles, note } => {
            let now = desk.context.now;
            let (by, roles, note) = (by.clone(), roles.clone(), note.clone());
            approvals::decide(desk, *id, Vote { decision: *decision, by, roles, at: now, note }).await
        }
        Command::EnqueueAll { wishes } => enqueue::enqueue_all(desk, wishes).await,
        Command::PauseRun { run_id } => info_requests::pause(desk, *run_id, run::Command::Pause).await,
        Command::ResumeRun { run_id } => info_requests::pause(desk, *run_id, run::Command::Resume).await,
        Command::AskInfo { run_id, fencing_token, reason, fields, asked_by } => {
            info_requests::ask(desk, (*run_id, *fencing_token), reason, fields, asked_by.as_deref()).await
        }
        Command::ReportCommands { holder, worker, found } => {
            found_commands::report(desk, *holder, worker, found).await
        }
        Command::ReportRefusedHosts { holder, hosts } => refused_hosts::report(desk, *holder, hosts).await,
        Command::TellEvents { holder, events } => run_events::tell(desk, *holder, events).await,
        Command::NoteAgents { project_id, as_of, seen } => {
            agent_states::note(desk, *project_id, *as_of, seen).await
        }
        Command::NoteSession { project_id, change, news } => {
            projects::tell(desk, *project_id, news.as_ref().clone().fact(*change)).await
        }
        Command::SendMessage { sender, message } => messages::send(desk, sender, message).await,
        Command::AcknowledgeMessage { id, reader } => messages::acknowledge(desk, *id, *reader).await,
        Command::AnswerInfo { id, sealed, by } => info_requests::answer(desk, *id, sealed, by).await,
        Command::Reseal { what: Sealed::Answer(id), before, sealed } => {
            info_requests::reseal(desk, *id, before, sealed).await
        }
        Command::Reseal { what: Sealed::Webhook(id), before, sealed } => {
            webhooks::reseal(desk, *id, before, sealed).await
        }
        Command::SetVision { project_id, text } => requirements::set_vision(desk, *project_id, text).await,
        Command::ProposeRequirements { project_id } => requirements::propose(desk, *project_id).await,
        Command::EditDraft { id, items } => requirements::edit(desk, *id, items).await,
        Command::DecideDraft { id, approved, create_work_items } => {
            let said = if *approved { draft::Command::Approve } else { draft::Command::Reject };
            requirements::decide(desk, *id, said, *create_work_items).await
        }
        Command::SetQuota { project_id, quota } => quotas::set(desk, *project_id, *quota).await,
        Command::CreateSchedule(spec) => schedules::create(desk, spec).await,
        Command::UpdateSchedule { id, patch } => schedules::update(desk, *id, patch).await,
        Command::RemoveSchedule { id } => schedules::remove(desk, *id).await,
        Command::Enqueue { work_item_id, depends_on, priority, delay_ms } => {
            enqueue::enqueue(desk, *work_item_id, *depends_on, *priority, *delay_ms).await
        }
        Command::Requeue { target, priority, delay } => {
            requeue::requeue(desk, *target, *priority, *delay).await
        }
        Command::Start { work_item_id } => start::start(desk, *work_item_id).await,
        Command::Tick { .. } => Ok(Reply::Ticked { started: vec![], blocked: vec![] }),
        Command::Exchange(exchange) => exchange::settle(desk, exchange).await,
        Command::Claim(_) => Ok(Reply::Claimed(vec![])),
        Command::ClaimRun { run_id, worker, ttl_ms } => {
            claim::claim_run(desk, *run_id, worker, *ttl_ms).await
        }
        Command::Heartbeat { heartbeat, worker, ttl_ms } => {
            lease::heartbeat(desk, *heartbeat, worker, *ttl_ms).await
        }
        Command::Complete(end) => complete::complete(desk, end).await.map(Reply::Run),
        Command::HandBack(heartbeat) => lease::hand_back(desk, *heartbeat).await,
        Command::CancelRun { run_id } => cancel::cancel_run(desk, *run_id).await,
        Command::AppendLogs(batch) => append_logs::append(desk, batch).await,
        Command::BeginUpload { run_id, fencing_token } => {
            artifacts::begin(desk, *run_id, *fencing_token).await
        }
        Command::KeepChunk { upload, place, data } => {
            artifacts::keep_chunk(desk, *upload, *place, data).await
        }
        Command::StoreArtifact(new) => artifacts::store(desk, new).await,
        Command::DropUpload { id } => artifacts::give_up(desk, *id).await,
        Command::CreateToken(new) => tokens::create(desk, new).await,
        Command::RevokeToken { id } => tokens::revoke(desk, *id).await,
        Command::SetAlias(new) => aliases::set(desk, new).await,
        Command::RemoveAlias { name } => aliases::remove(desk, name).await,
        Command::TellRegistry(news) => Ok(aliases::tell(desk, news)),
        Command::CreateWebhook(new) => webhooks::create(desk, new).await,
        Command::RemoveWebhook { id } => webhooks::remove(desk, *id).await,
        Command::NoteDelivery(noted) => webhooks::note(desk, noted).await,
        // The entry is written with those of the other requests.
        Command::Record(_) => Ok(Reply::Done),
        // What is kept is the reply, under the request's key.
        Command::TakeOnce => Ok(Reply::Done),
        Command::KeepTime { .. } | Command::ForgetWorker { .. } => Ok(Reply::Moved(0)),
    }
}

/// Applies the second half of a command that picks items, and completes its reply.
pub(crate) async fn pick<T: Tx>(desk: &mut Desk<'_, T>, command: &Command, reply: &mut Reply) -> Result<()> {
    match (command, reply) {
        (Command::Claim(request), Reply::Claimed(runs)) => {
            *runs = claim::claim(desk, request).await?;
        }
        (Command::Exchange(exchange), Reply::Exchanged(answer)) => {
            answer.runs = claim::claim(desk, &exchange.claim).await?;
        }
        (Command::Tick { max, external_only }, Reply::Ticked { started, blocked }) => {
            (*started, *blocked) = start::tick(desk, *max, *external_only).await?;
        }
        (Command::KeepTime { max }, Reply::Moved(moved)) => {
            *moved = keep_time::keep_time(desk, *max).await?;
        }
        (Command::ForgetWorker { worker, but }, Reply::Moved(moved)) => {
            *moved = keep_time::forget_worker(desk, worker, but).await?;
        }
        _ => {}
    }
    Ok(())
}
