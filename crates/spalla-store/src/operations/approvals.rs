//! Approvals: ask a person, and take the answer. While one is undecided or refused, the item does not start by any
//! path, because it holds the item's place or its unclaimed run.

use super::dependencies::held;
use super::enqueue::check_live;
use crate::command::Reply;
use crate::desk::{Answer, Desk};
use crate::document::ApprovalVotes;
use crate::tx::{Sequence, Tx};
use spalla_domain::approval::tally::{Need, Vote, tally};
use spalla_domain::approval::{self, Approval, Kind, Status, Subject};
use spalla_domain::event::Fact;
#[cfg(debug_assertions)]
use spalla_domain::plant::{self, Plant};
use spalla_domain::queue::{self, Holds};
use spalla_domain::{ApprovalId, Refusal, WorkItemId};

/// Asks for an approval.
pub(crate) async fn request<T: Tx>(
    desk: &mut Desk<'_, T>,
    work_item_id: WorkItemId,
    kind: Kind,
    need: &Need,
) -> Answer<Reply> {
    need.check()?;
    check_live(desk, work_item_id).await?;
    let id = make(desk, work_item_id, kind, None).await?;
    if *need != Need::default() {
        desk.keep(&ApprovalVotes { approval_id: id, work_item_id, need: need.clone(), votes: vec![] })?;
    }
    Ok(Reply::Approval(id))
}

/// Asks whether a command of the item's run may be carried out.
pub(crate) async fn ask_for<T: Tx>(
    desk: &mut Desk<'_, T>,
    work_item_id: WorkItemId,
    subject: Subject,
) -> Answer<ApprovalId> {
    make(desk, work_item_id, Kind::Command, Some(subject)).await
}

async fn make<T: Tx>(
    desk: &mut Desk<'_, T>,
    work_item_id: WorkItemId,
    kind: Kind,
    subject: Option<Subject>,
) -> Answer<ApprovalId> {
    let id = ApprovalId(desk.next_id(Sequence::Approval).await?);
    let in_turn = subject.as_ref().is_some_and(|subject| subject.in_turn);
    desk.staged.approvals_made.push(Approval {
        id,
        work_item_id,
        kind,
        status: Status::Pending,
        requested_at: desk.context.now,
        decided_at: None,
        decided_by: None,
        note: None,
        subject,
    });
    desk.facts(work_item_id, None, vec![Fact::ApprovalRequested { approval_id: id, kind, in_turn }]);
    rehold(desk, work_item_id, |holds| Holds { pending: holds.pending + 1, ..holds }).await?;
    Ok(id)
}

/// Takes a person's yes or no.
pub(crate) async fn decide<T: Tx>(desk: &mut Desk<'_, T>, id: ApprovalId, vote: Vote) -> Answer<Reply> {
    let mut approval = find(desk, id).await?;
    let item = approval.work_item_id;
    desk.item(item).await?;
    approval.status = count(desk, &approval, &vote).await?;
    if approval.status == Status::Pending {
        return Ok(Reply::Approval(id));
    }
    approval.decided_at = Some(desk.context.now);
    approval.decided_by.clone_from(&vote.by);
    approval.note.clone_from(&vote.note);
    let (status, by, is_in_turn) = (approval.status, vote.by, approval.is_in_turn());
    match desk.staged.approvals_made.iter_mut().find(|made| made.id == id) {
        Some(made) => *made = approval,
        None => desk.staged.approvals_decided.push(approval),
    }
    desk.facts(item, None, vec![Fact::ApprovalDecided { approval_id: id, status, by }]);
    rehold(desk, item, |holds| {
        let rejected = holds.rejected + u32::from(status == Status::Rejected && !is_in_turn);
        #[cfg(debug_assertions)]
        let rejected = if plant::is(Plant::RejectionReleases) { 0 } else { rejected };
        #[cfg(debug_assertions)]
        let holds = Holds {
            pending: holds.pending.saturating_sub(u32::from(plant::is(Plant::ApprovalCountedTwice))),
            ..holds
        };
        Holds { pending: holds.pending.saturating_sub(1), rejected, ..holds }
    })
    .await?;
    Ok(Reply::Approval(id))
}

/// Counts a vote where several are needed; returns what the approval has come to.
async fn count<T: Tx>(desk: &mut Desk<'_, T>, approval: &Approval, vote: &Vote) -> Answer<Status> {
    let kept: Option<ApprovalVotes> = desk.document(approval.id.0).await?;
    let Some(mut kept) = kept else { return Ok(approval::transition(approval, vote.decision)?) };
    let tally = tally(approval, &kept.need, &kept.votes, vote)?;
    kept.votes.push(vote.clone());
    desk.keep(&kept)?;
    if tally.status == Status::Pending {
        let (approval_id, by, missing) = (approval.id, vote.by.clone(), tally.missing);
        let voted = Fact::ApprovalVoted { approval_id, by, missing };
        desk.facts(approval.work_item_id, None, vec![voted]);
    }
    Ok(tally.status)
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
