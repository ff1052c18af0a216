//! Start and tick: give items a run that nobody holds yet. The next claim takes it, or a person completes it.

use super::dependencies::{all_holds, parent_of, propagate};
use super::enqueue::{Entering, check_live, enter};
use super::quotas;
use super::stock::Stock;
use crate::command::{Held, Reply, Started};
use crate::desk::{Answer, Desk};
use crate::error::ExecuteError;
use crate::tx::{Result, Sequence, Tx};
#[cfg(debug_assertions)]
use spalla_domain::plant::{self, Plant};
use spalla_domain::problem::Code;
use spalla_domain::queue::{self, Place};
use spalla_domain::quota::Used;
use spalla_domain::work_item::Executor;
use spalla_domain::{QueueId, RunId, WorkItemId};

/// The most held-back entries that a tick's answer names.
const HELD_BACK_MAX: u32 = 500;

/// Gives one item a run at once. A delay does not hold it: that a person asks for it now outweighs the clock.
pub(crate) async fn start<T: Tx>(desk: &mut Desk<'_, T>, id: WorkItemId) -> Answer<Reply> {
    check_live(desk, id).await?;
    let now = desk.context.now;
    let item = desk.item(id).await?.clone();
    let ready = match &item.place {
        Place::Open => {
            let holds = all_holds(desk, id).await?;
            #[cfg(debug_assertions)]
            let holds = match plant::is(Plant::ApprovalIgnoredAtStart) {
                true => queue::Holds { pending: 0, ..holds },
                false => holds,
            };
            Some(queue::transition(&item.place, item.standing, queue::Command::Enqueue(holds), now)?)
        }
        Place::Delayed { .. } => {
            // Queued anew, without the delay: the record says why it may start before its time.
            let free = queue::Command::Enqueue(queue::Holds::default());
            Some(queue::transition(&item.place, item.standing, free, now)?)
        }
        Place::Blocked(_) | Place::Ready | Place::Leased(_) | Place::Finished(_) => None,
    };
    // What would refuse is asked before an id is taken or anything is moved.
    let place = ready.as_ref().map_or(&item.place, |step| &step.place);
    queue::transition(place, item.standing, queue::Command::Start { run_id: RunId(0) }, now)?;
    quotas::check(desk, item.head.project_id, item.head.queue).await?;
    let before = parent_of(&item);
    if let Some(step) = ready {
        enter(desk, id, None, Entering::Joining).await?;
        desk.step(id, step);
    }
    let run_id = give_run(desk, id).await?;
    propagate(desk, id, before).await?;
    Ok(Reply::Run(run_id))
}

async fn give_run<T: Tx>(desk: &mut Desk<'_, T>, id: WorkItemId) -> Answer<RunId> {
    let run_id = RunId(desk.next_id(Sequence::Run).await?);
    let now = desk.context.now;
    let item = desk.item(id).await?;
    let step = queue::transition(&item.place, item.standing, queue::Command::Start { run_id }, now)?;
    let project = item.head.project_id;
    desk.use_up(project, Used::start());
    desk.step(id, step);
    Ok(run_id)
}

/// Gives every eligible item a run, best first; tells what is held back, and why.
pub(crate) async fn tick<T: Tx>(
    desk: &mut Desk<'_, T>,
    max: u32,
    external_only: bool,
) -> Result<(Vec<Started>, Vec<Held>)> {
    let scope = desk.scope.clone();
    let may_see = |id| scope.as_ref().is_none_or(|scope| scope.projects.has(id));
    let queues = desk.waiting_queues().await?.iter();
    let queues: Vec<QueueId> = queues
        .filter(|(key, _)| may_see(key.project_id))
        .filter(|(key, _)| !external_only || key.executor == Executor::External)
        .map(|(_, id)| *id)
        .collect();
    // What a run needs is reserved when a worker takes it.
    let picked = quotas::pick_ready(desk, &queues, max, &mut Stock::default()).await?;
    let picked = desk.adopt(picked).await?;
    desk.reserve(Sequence::Run, picked.len()).await?;
    let mut started = vec![];
    for work_item_id in picked {
        match give_run(desk, work_item_id).await {
            Ok(run_id) => started.push(Started { run_id, work_item_id }),
            // Taken by an earlier command of this batch.
            Err(ExecuteError::Refused(_)) => {}
            Err(ExecuteError::Store(error)) => return Err(error),
        }
    }
    let blocked = if external_only { vec![] } else { held_back(desk).await? };
    Ok((started, blocked))
}

async fn held_back<T: Tx>(desk: &mut Desk<'_, T>) -> Result<Vec<Held>> {
    let over_quota = quotas::pick_held(desk, HELD_BACK_MAX).await?;
    let over_quota = over_quota.into_iter().map(|row| Held { work_item_id: row.id, reason: Code::Quota });
    let rows = desk.tx.held_back(HELD_BACK_MAX).await?;
    let held = rows.into_iter().filter_map(|row| {
        let reason = match &row.place {
            Place::Blocked(holds) => holds.reason(),
            Place::Delayed { .. } => Some(Code::Delayed),
            Place::Open | Place::Ready | Place::Leased(_) | Place::Finished(_) => None,
        };
        reason.map(|reason| Held { work_item_id: row.id, reason })
    });
    Ok(held.chain(over_quota).take(HELD_BACK_MAX as usize).collect())
}
