//! Approvals: ask a person, and take the answer. While one is undecided or refused, the item does not start by any
//! path, because it holds the item's place or its unclaimed run.

use super::dependencies::held;
use super::enqueue::check_live;
use crate::command::Reply;
use crate::desk::{Answer, Desk};
use crate::tx::{Sequence, Tx};
use spalla_domain::approval::{self, Approval, Decision, Kind, Status};
use spalla_domain::event::Fact;
#[cfg(feature = "plant")]
use spalla_domain::plant::{self, Plant};
use spalla_domain::queue::{self, Holds};
use spalla_domain::{ApprovalId, Refusal, WorkItemId};

/// Asks for an approval.
pub(crate) async fn request<T: Tx>(
    desk: &mut Desk<'_, T>,
    work_item_id: WorkItemId,
    kind: Kind,
) -> Answer<Reply> {
    check_live(desk, work_item_id).await?;
    let id = ApprovalId(desk.next_id(Sequence::Approval).await?);
    desk.staged.approvals_made.push(Approval {
        id,
        work_item_id,
        kind,
        status: Status::Pending,
        requested_at: desk.context.now,
        decided_at: None,
        decided_by: None,
        note: None,
    });
    desk.facts(work_item_id, None, vec![Fact::ApprovalRequested { approval_id: id, kind }]);
    rehold(desk, work_item_id, |holds| Holds { pending: holds.pending + 1, ..holds }).await?;
    Ok(Reply::Approval(id))
}

/// Takes a person's yes or no.
pub(crate) async fn decide<T: Tx>(
    desk: &mut Desk<'_, T>,
    id: ApprovalId,
    decision: Decision,
    by: &Option<String>,
    note: &Option<String>,
) -> Answer<Reply> {
    let mut approval = find(desk, id).await?;
    approval.status = approval::transition(&approval, decision)?;
    approval.decided_at = Some(desk.context.now);
    approval.decided_by.clone_from(by);
    approval.note.clone_from(note);
    let (item, status) = (approval.work_item_id, approval.status);
    desk.item(item).await?;
    match desk.staged.approvals_made.iter_mut().find(|made| made.id == id) {
        Some(made) => *made = approval,
        None => desk.staged.approvals_decided.push(approval),
    }
    desk.facts(item, None, vec![Fact::ApprovalDecided { approval_id: id, status, by: by.clone() }]);
    rehold(desk, item, |holds| {
        let rejected = holds.rejected + u32::from(status == Status::Rejected);
        #[cfg(feature = "plant")]
        let rejected = if plant::is(Plant::RejectionReleases) { 0 } else { rejected };
        #[cfg(feature = "plant")]
        let holds = Holds {
            pending: holds.pending.saturating_sub(u32::from(plant::is(Plant::ApprovalCountedTwice))),
            ..holds
        };
        Holds { pending: holds.pending.saturating_sub(1), rejected, ..holds }
    })
    .await?;
    Ok(Reply::Approval(id))
}

/// Finds an approval as it is at this point of the batch.
async fn find<T: Tx>(desk: &mut Desk<'_, T>, id: ApprovalId) -> Answer<Approval> {
    let staged =
        desk.staged.approvals_decided.iter().rev().chain(&desk.staged.approvals_made).find(|a| a.id == id);
    if let Some(approval) = staged {
        return Ok(approval.clone());
    }
    let loaded = desk.tx.approvals(&[id]).await?.pop();
    Ok(loaded.ok_or_else(|| Refusal::not_found("approval", id))?)
}

async fn rehold<T: Tx>(
    desk: &mut Desk<'_, T>,
    id: WorkItemId,
    change: impl FnOnce(Holds) -> Holds,
) -> Answer<()> {
    if !desk.context.settings.require_approval {
        return Ok(());
    }
    let now = desk.context.now;
    let item = desk.item(id).await?;
    let command = queue::Command::Rehold(change(held(&item.place)));
    let step = queue::transition(&item.place, item.standing, command, now)?;
    desk.step(id, step);
    Ok(())
}
