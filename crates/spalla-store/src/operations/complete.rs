//! Complete: a run ends, its item is done, tried again or given up, and what waits for it is told.

use super::claim::{over, over_to};
use super::dependencies::{all_holds, parent_of, propagate};
use super::enqueue::rerank;
use super::info_requests::withdraw;
use super::quotas::use_up;
use super::scorecards;
use crate::command::RunEnd;
use crate::desk::{Answer, Desk, Item, Run};
use crate::tx::{EndedRun, Tx};
use spalla_domain::event::Fact;
#[cfg(debug_assertions)]
use spalla_domain::plant::{self, Plant};
use spalla_domain::queue::{self, Place};
use spalla_domain::retry::ErrorClass;
use spalla_domain::run::{self, LiveRun, Outcome};
use spalla_domain::{Fence, RunId, Timestamp, WorkItemId};

/// Ends a run. Saying the same twice under the same token is once.
pub(crate) async fn complete<T: Tx>(desk: &mut Desk<'_, T>, end: &RunEnd) -> Answer<RunId> {
    if let Some(sandbox) = &end.sandbox {
        sandbox.check()?;
    }
    let outcome = outcome(end);
    let id = match desk.run(end.run_id).await? {
        Run::Live(id) => id,
        Run::Ended(run) => return repeated(&run, end, outcome),
    };
    let now = desk.context.now;
    let item = desk.item(id).await?;
    let Some(live) = item.live_run() else { return Err(over(end.run_id, run::Status::Lost).into()) };
    let command = run::Command::Complete { fence: end.fencing_token, outcome };
    let step = run::transition(live, item.standing.attempt, item.standing.fence, command, now)?;
    let record = EndedRun {
        exit_code: end.exit_code,
        result: end.result.clone(),
        usage: end.usage.clone(),
        error: end.error.clone(),
        sandbox: end.sandbox.clone(),
        ..record(now, item, live, outcome, end.fencing_token)
    };
    finish(desk, id, record, step.facts).await?;
    Ok(end.run_id)
}

fn outcome(end: &RunEnd) -> Outcome {
    if end.success {
        return Outcome::Succeeded;
    }
    Outcome::Failed(end.error.as_ref().map(|error| error.class).unwrap_or_default())
}

/// Answers a completion that was said before; anything else about a run that is over is refused.
fn repeated(run: &EndedRun, end: &RunEnd, outcome: Outcome) -> Answer<RunId> {
    #[cfg(debug_assertions)]
    if plant::is(Plant::UnfencedRepetition) && run.outcome.status() == outcome.status() {
        return Ok(run.id);
    }
    let same = run.ended_under == end.fencing_token && run.outcome.status() == outcome.status();
    match end.fencing_token {
        _ if same => Ok(run.id),
        Some(token) => Err(over_to(token, run).into()),
        None => Err(over(run.id, run.outcome.status()).into()),
    }
}

/// Makes the record of a run that ends now.
pub(crate) fn record(
    now: Timestamp,
    item: &Item,
    live: &LiveRun,
    outcome: Outcome,
    ended_under: Option<Fence>,
) -> EndedRun {
    EndedRun {
        id: live.id,
        work_item_id: item.head.id,
        project_id: item.head.project_id,
        attempt: item.standing.attempt,
        takeovers: live.takeovers,
        fence: item.standing.fence,
        ended_under,
        worker: live.lease.as_ref().map(|lease| lease.worker.clone()),
        created_at: live.created_at,
        started_at: live.started_at,
        ended_at: now,
        outcome,
        exit_code: None,
        result: None,
        usage: None,
        error: None,
        sandbox: None,
    }
}

/// Records the end of a run and moves its item on.
pub(crate) async fn finish<T: Tx>(
    desk: &mut Desk<'_, T>,
    id: WorkItemId,
    record: EndedRun,
    facts: Vec<Fact>,
) -> Answer<()> {
    let (now, jitter) = (desk.context.now, desk.context.jitter());
    desk.facts(id, Some(record.id), facts);
    let item = desk.item(id).await?;
    let (before, place, standing, policy) =
        (parent_of(item), item.place.clone(), item.standing, item.head.policy);
    if let Place::Leased(live) = &place {
        withdraw(desk, id, live).await?;
    }
    use_up(desk, &record);
    scorecards::note(desk, &record).await?;
    let class = match record.outcome {
        Outcome::Failed(class) => class,
        Outcome::Succeeded | Outcome::Cancelled | Outcome::Lost => ErrorClass::Lost,
    };
    let policy = policy.retries(desk.context.settings.retries(class));
    let not_before = record.error.as_ref().and_then(|error| error.retry_at);
    let command = queue::Command::End { outcome: record.outcome, policy, not_before, jitter };
    let step = queue::transition(&place, standing, command, now)?;
    let retried_at = match &step.place {
        Place::Delayed { due_at } => Some(*due_at),
        _ => None,
    };
    desk.end_run(record);
    desk.step(id, step);
    if let Some(due_at) = retried_at {
        rehold(desk, id, due_at).await?;
    }
    propagate(desk, id, before).await
}

/// Before an item is tried again: dependencies that were reopened and approvals that were asked for meanwhile count.
async fn rehold<T: Tx>(desk: &mut Desk<'_, T>, id: WorkItemId, due_at: Timestamp) -> Answer<()> {
    rerank(desk, id).await?;
    #[cfg(debug_assertions)]
    if plant::is(Plant::ApprovalIgnoredAtRetry) {
        return Ok(());
    }
    let holds = queue::Holds { due_at: Some(due_at), ..all_holds(desk, id).await? };
    let now = desk.context.now;
    let item = desk.item(id).await?;
    let step = queue::transition(&item.place, item.standing, queue::Command::Rehold(holds), now)?;
    desk.step(id, step);
    Ok(())
}
