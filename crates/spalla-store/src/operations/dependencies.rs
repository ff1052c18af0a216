//! What keeps an item from starting, and what the change of one item means for those that wait for it.

use crate::desk::{Answer, Desk, Item};
use crate::tx::{EdgeRow, Result, Tx};
use spalla_domain::WorkItemId;
use spalla_domain::approval::{Approval, Status};
#[cfg(debug_assertions)]
use spalla_domain::plant::{self, Plant};
use spalla_domain::queue::edge::{self, Edge, Parent};
use spalla_domain::queue::{self, Broken, Holds, Place};
use std::collections::VecDeque;

/// Returns what of an item matters to what waits for it.
pub(crate) fn parent_of(item: &Item) -> Parent {
    Parent::of(&item.place, item.head.critical, item.head.archived_at.is_some())
}

/// Returns everything that keeps an item from starting, read from its edges and its approvals.
pub(crate) async fn all_holds<T: Tx>(desk: &mut Desk<'_, T>, id: WorkItemId) -> Answer<Holds> {
    let (unmet, broken) = unmet(desk, id).await?;
    let (mut pending, mut rejected) = (0, 0);
    if desk.context.settings.require_approval {
        for approval in approvals(desk, id).await?.iter().filter(|approval| approval.holds()) {
            match approval.status {
                Status::Pending => pending += 1,
                Status::Rejected => rejected += 1,
                Status::Approved => {}
            }
        }
    }
    Ok(Holds { unmet, broken, pending, rejected, due_at: None })
}

/// Returns an item's approvals as they are at this point of the batch.
async fn approvals<T: Tx>(desk: &mut Desk<'_, T>, id: WorkItemId) -> Result<Vec<Approval>> {
    let mut approvals = desk.approvals(id).await?;
    approvals.extend(desk.staged.approvals_made.iter().filter(|a| a.work_item_id == id).cloned());
    for decided in &desk.staged.approvals_decided {
        approvals.iter_mut().filter(|a| a.id == decided.id).for_each(|a| a.status = decided.status);
    }
    Ok(approvals)
}

/// Returns how many of an item's dependencies are not met, and which of them can't be met any more.
async fn unmet<T: Tx>(desk: &mut Desk<'_, T>, id: WorkItemId) -> Answer<(u32, Option<Broken>)> {
    let edges = desk.edges_above(id).await?;
    desk.load_items(edges.iter().map(|edge| edge.parent)).await?;
    let (mut unmet, mut broken) = (0, None);
    for EdgeRow { parent, when, .. } in edges {
        match edge::state(when, parent_of(desk.item(parent).await?)) {
            Edge::Met => {}
            Edge::Waiting => unmet += 1,
            Edge::Broken(reason) => {
                unmet += 1;
                broken = broken.or(Some(Broken { reason, by: parent }));
            }
        }
    }
    Ok((unmet, broken))
}

/// Returns what holds an item as its place says.
pub(crate) fn held(place: &Place) -> Holds {
    match place {
        Place::Blocked(holds) => *holds,
        Place::Delayed { due_at } => Holds { due_at: Some(*due_at), ..Holds::default() },
        Place::Leased(run) => Holds { pending: run.holds, ..Holds::default() },
        Place::Open | Place::Ready | Place::Finished(_) => Holds::default(),
    }
}

/// Tells all that wait for an item, and all that wait for those, what became of it.
pub(crate) async fn propagate<T: Tx>(desk: &mut Desk<'_, T>, id: WorkItemId, before: Parent) -> Answer<()> {
    let mut changed = VecDeque::from([(id, before)]);
    while let Some((id, before)) = changed.pop_front() {
        let after = parent_of(desk.item(id).await?);
        if before == after {
            continue;
        }
        let edges = desk.edges_below(id).await?;
        desk.load_items(edges.iter().map(|edge| edge.child)).await?;
        for edge in edges {
            let then = (edge::state(edge.when, before), edge::state(edge.when, after));
            if then.0 != then.1 {
                let child_before = parent_of(desk.item(edge.child).await?);
                update_child(desk, edge.child, then).await?;
                changed.push_back((edge.child, child_before));
            }
        }
    }
    Ok(())
}

/// Moves one item whose edge changed from one state to another.
async fn update_child<T: Tx>(
    desk: &mut Desk<'_, T>,
    child: WorkItemId,
    (was, is): (Edge, Edge),
) -> Answer<()> {
    let item = desk.item(child).await?.clone();
    // An open item counts its edges when it is enqueued, a live or finished one does not wait for them any more.
    if !matches!(item.place, Place::Blocked(_) | Place::Delayed { .. } | Place::Ready) {
        return Ok(());
    }
    let mut holds = held(&item.place);
    if matches!(was, Edge::Broken(_)) || matches!(is, Edge::Broken(_)) {
        (holds.unmet, holds.broken) = unmet(desk, child).await?;
    } else {
        #[cfg(debug_assertions)]
        if plant::is(Plant::LostDecrement) && is == Edge::Met && holds.unmet > 1 {
            return Ok(());
        }
        holds.unmet = holds.unmet + u32::from(is != Edge::Met) - u32::from(was != Edge::Met);
        #[cfg(debug_assertions)]
        if plant::is(Plant::DoubleUnblock) && is == Edge::Met {
            holds.unmet = holds.unmet.saturating_sub(1);
        }
    }
    let now = desk.context.now;
    let step = queue::transition(&item.place, item.standing, queue::Command::Rehold(holds), now)?;
    desk.step(child, step);
    Ok(())
}
