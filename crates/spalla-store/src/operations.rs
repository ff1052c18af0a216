//! The operations: each loads what it needs on the desk, calls one pure rule and leaves the new state and its facts
//! there. Nothing else changes state, and nothing waits inside them.
//!
//! A command is settled first; commands that pick items finish in a second half, when everything that the batch
//! made eligible is written.

mod append_logs;
mod approvals;
mod cancel;
mod claim;
mod complete;
mod dependencies;
mod enqueue;
mod exchange;
mod foresee;
pub(crate) mod keep_time;
mod lease;
mod projects;
mod requeue;
mod start;
mod work_items;

use crate::command::{Command, Reply};
use crate::desk::{Answer, Desk};
use crate::tx::{Result, Tx};
pub(crate) use foresee::foresee;

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
        Command::RequestApproval { work_item_id, kind } => {
            approvals::request(desk, *work_item_id, *kind).await
        }
        Command::DecideApproval { id, decision, by, note } => {
            approvals::decide(desk, *id, *decision, by, note).await
        }
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
        (Command::ForgetWorker { worker }, Reply::Moved(moved)) => {
            *moved = keep_time::forget_worker(desk, worker).await?;
        }
        _ => {}
    }
    Ok(())
}
