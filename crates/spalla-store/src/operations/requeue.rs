//! Requeue: a person brings an item back into the queue, whatever became of it, with all its retries.

use super::dependencies::{all_holds, parent_of, propagate};
use super::enqueue::{Entering, check_live, enter};
use crate::command::{Delay, Reply, Requeued};
use crate::desk::{Answer, Desk, Run};
use crate::tx::Tx;
use spalla_domain::WorkItemId;
use spalla_domain::queue;
use spalla_domain::queue::edge::{self, Edge, Parent};
use spalla_domain::work_item::Status;

/// Brings an item back into the queue.
pub(crate) async fn requeue<T: Tx>(
    desk: &mut Desk<'_, T>,
    target: Requeued,
    priority: Option<u8>,
    delay: Delay,
) -> Answer<Reply> {
    let id = match target {
        Requeued::WorkItem(id) => id,
        Requeued::Run(run) => match desk.run(run).await? {
            Run::Live(id) => id,
            Run::Ended(run) => run.work_item_id,
        },
    };
    check_live(desk, id).await?;
    let delay_ms = match delay {
        Delay::Ms(ms) => ms,
        Delay::Backoff => backoff_ms(desk, id).await?,
    };
    let mut holds = all_holds(desk, id).await?;
    holds.due_at = (delay_ms > 0).then(|| desk.context.now.plus_ms(delay_ms));
    let item = desk.item(id).await?.clone();
    let before = parent_of(&item);
    let step =
        queue::transition(&item.place, item.standing, queue::Command::Requeue(holds), desk.context.now)?;
    desk.step(id, step);
    let mends_blocker = mends(desk, id, before).await?;
    let entry = enter(desk, id, priority, Entering::Afresh { mends_blocker }).await?;
    propagate(desk, id, before).await?;
    Ok(Reply::Entry { id: entry, work_item_id: id })
}

/// Tells whether an item that comes back frees others that it had blocked.
async fn mends<T: Tx>(desk: &mut Desk<'_, T>, id: WorkItemId, before: Parent) -> Answer<bool> {
    let after = parent_of(desk.item(id).await?);
    if before == after || !desk.context.settings.priority_auto {
        return Ok(false);
    }
    let edges = desk.edges_below(id).await?;
    desk.load_items(edges.iter().map(|edge| edge.child)).await?;
    for edge in edges {
        let is_freed = matches!(edge::state(edge.when, before), Edge::Broken(_))
            && !matches!(edge::state(edge.when, after), Edge::Broken(_));
        if is_freed && desk.item(edge.child).await?.place.status() == Status::Blocked {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn backoff_ms<T: Tx>(desk: &mut Desk<'_, T>, id: WorkItemId) -> Answer<i64> {
    let (server, jitter) = (desk.context.settings.retry, desk.context.jitter());
    let item = desk.item(id).await?;
    Ok(item.head.policy.retries(server).delay_ms(item.standing.failures.max(1), jitter.get()))
}
