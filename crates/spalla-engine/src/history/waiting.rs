//! The laws of items: made first, queued, held, freed, blocked and finished as what they wait for and their runs say.

use super::standing::{Item, Moment, Place, Waiting};
use super::{Asked, History, Law};
use spalla_domain::approval;
use spalla_domain::problem::Code;
use spalla_domain::queue::edge::{self, Edge, Parent};
use spalla_domain::queue::priority::MOVE_MAX;
use spalla_domain::work_item::{Dependency, PRIORITY_MAX, Status};
use spalla_domain::{ApprovalId, ProjectId, Timestamp, WorkItemId};
use std::collections::BTreeSet;

impl History {
    pub(super) fn made(
        &mut self,
        moment: Moment,
        project: ProjectId,
        critical: bool,
        depends_on: &[Dependency],
    ) {
        if self.items.get(moment.item).is_some() {
            return self.break_law(Law::ItemMadeFirst, moment, format_args!("the item was made before"));
        }
        self.items.insert(moment.item, Item::new(project, critical));
        for dependency in depends_on {
            self.add_edge(moment, *dependency);
        }
    }

    pub(super) fn updated(&mut self, moment: Moment, changed: &[String]) {
        // Only a true change is named, and of two values that is the other one.
        if changed.iter().any(|member| member == "critical")
            && let Some(item) = self.items.get_mut(moment.item)
        {
            item.critical = !item.critical;
        }
    }

    pub(super) fn dependency_added(&mut self, moment: Moment, dependency: Dependency) {
        if self.reaches(dependency.id, moment.item) {
            let detail = format_args!("the dependency on {} closes a circle", dependency.id);
            self.break_law(Law::EdgesSound, moment, detail);
        } else {
            self.add_edge(moment, dependency);
        }
    }

    fn add_edge(&mut self, moment: Moment, dependency: Dependency) {
        let parent = dependency.id;
        let has = |item: &Item| item.above.iter().any(|edge| edge.id == parent);
        if self.items.get(moment.item).is_some_and(has) {
            let detail = format_args!("the dependency on {parent} was there before");
            return self.break_law(Law::EdgesSound, moment, detail);
        }
        let Some(above) = self.items.get_mut(parent) else {
            let detail = format_args!("the dependency is on {parent}, which was not made yet");
            return self.break_law(Law::EdgesSound, moment, detail);
        };
        above.below.push(Dependency { id: moment.item, when: dependency.when });
        if let Some(item) = self.items.get_mut(moment.item) {
            item.above.push(dependency);
        }
    }

    /// Tells whether an item waits for another one, or is it.
    fn reaches(&self, from: WorkItemId, to: WorkItemId) -> bool {
        let (mut next, mut reached) = (vec![from], BTreeSet::new());
        while let Some(id) = next.pop() {
            if id == to {
                return true;
            }
            if reached.insert(id)
                && let Some(item) = self.items.get(id)
            {
                next.extend(item.above.iter().map(|edge| edge.id));
            }
        }
        false
    }

    pub(super) fn queued(&mut self, moment: Moment, unmet: u32, approvals: u32, due_at: Option<Timestamp>) {
        let before = match self.place_of(moment.item) {
            Place::Open => Waiting::default(),
            Place::Waiting(waiting) => waiting,
            Place::Live(_) | Place::Ended(_) | Place::Finished(_) => {
                let detail = format_args!("the item was queued, and a run of it is live or it is finished");
                return self.break_law(Law::QueuedWhileIdle, moment, detail);
            }
        };
        let holds = self.holds_of(moment.item);
        if (unmet, approvals) != (holds.unmet, holds.approvals) {
            let detail = format_args!(
                "the item is said to wait for {unmet} dependencies and {approvals} approvals, and waits for {} and {}",
                holds.unmet, holds.approvals
            );
            self.break_law(Law::HoldsCount, moment, detail);
        }
        self.wait(moment, Waiting { due_at, ..before });
    }

    pub(super) fn requeued(&mut self, moment: Moment, due_at: Option<Timestamp>) {
        let before = match self.place_of(moment.item) {
            Place::Open | Place::Finished(_) => Waiting::default(),
            Place::Waiting(waiting) => waiting,
            Place::Live(_) | Place::Ended(_) => {
                let detail = format_args!("the item was requeued while a run of it was live");
                return self.break_law(Law::QueuedWhileIdle, moment, detail);
            }
        };
        if let Some(item) = self.items.get_mut(moment.item) {
            item.failures = 0;
        }
        self.wait(moment, Waiting { due_at, ..before });
    }

    /// Lets an item wait in the queue; what follows of it has to be said at once.
    fn wait(&mut self, moment: Moment, mut waiting: Waiting) {
        if self.items.get(moment.item).is_some_and(|item| item.archived) {
            self.break_law(Law::ArchivedRests, moment, format_args!("the item was queued while archived"));
        }
        // A later time or a further hold takes readiness back without a word.
        waiting.ready &= self.holds_of(moment.item).are_none(waiting.due_at, moment.at);
        self.set_place(moment.item, Place::Waiting(waiting));
        self.touched.push(moment);
    }

    pub(super) fn ready(&mut self, moment: Moment) {
        let holds = self.holds_of(moment.item);
        match self.place_of(moment.item) {
            Place::Waiting(waiting) => {
                if waiting.ready && holds.are_none(waiting.due_at, moment.at) {
                    let detail = format_args!("the item was made ready, and was ready before");
                    self.break_law(Law::ReadyWhenFree, moment, detail);
                } else if holds.unmet + holds.approvals > 0 {
                    let detail = format_args!(
                        "the item was made ready while {} dependencies and {} approvals were missing",
                        holds.unmet, holds.approvals
                    );
                    self.break_law(Law::ReadyWhenFree, moment, detail);
                } else if let Some(due_at) = waiting.due_at.filter(|due_at| *due_at > moment.at) {
                    let detail = format_args!("the item was made ready at {}, due at {due_at}", moment.at);
                    self.break_law(Law::NotBeforeDue, moment, detail);
                }
                let ready = Waiting { ready: true, due_at: None, broken: waiting.broken };
                self.set_place(moment.item, Place::Waiting(ready));
            }
            Place::Open | Place::Live(_) | Place::Ended(_) | Place::Finished(_) => {
                let detail = format_args!("the item was made ready, and did not wait in the queue");
                self.break_law(Law::ReadyWhenFree, moment, detail);
            }
        }
    }

    pub(super) fn blocked(&mut self, moment: Moment, reason: Code, by: WorkItemId) {
        let Place::Waiting(waiting) = self.place_of(moment.item) else {
            let detail = format_args!("the item was blocked, and did not wait in the queue");
            return self.break_law(Law::BlockedByParents, moment, detail);
        };
        if waiting.broken.is_some() {
            let detail = format_args!("the item was blocked, and was blocked before");
            self.break_law(Law::BlockedByParents, moment, detail);
        } else if !self.breaks(moment.item, by, reason) {
            let reason = reason.as_str();
            let detail = format_args!("dependency {by} does not block the item ({reason})");
            self.break_law(Law::BlockedByParents, moment, detail);
        }
        let broken = self.holds_of(moment.item).broken.map(|_| reason);
        let blocked = Waiting { broken, ready: false, ..waiting };
        self.set_place(moment.item, Place::Waiting(blocked));
    }

    /// Tells whether a dependency can't be met any more, for this reason. Why a blocked parent is blocked may change
    /// without a word, so that any reason will do there.
    fn breaks(&self, id: WorkItemId, by: WorkItemId, reason: Code) -> bool {
        let (Some(item), Some(parent)) = (self.items.get(id), self.items.get(by)) else { return false };
        let Some(edge) = item.above.iter().find(|edge| edge.id == by) else { return false };
        let parent = parent.parent();
        match edge::state(edge.when, parent) {
            Edge::Broken(why) => why == reason || matches!(parent, Parent::Blocked(_)),
            Edge::Met | Edge::Waiting => false,
        }
    }

    pub(super) fn unblocked(&mut self, moment: Moment) {
        let place = self.place_of(moment.item);
        let Place::Waiting(waiting @ Waiting { broken: Some(_), .. }) = place else {
            let detail = format_args!("the item was unblocked, and was not blocked");
            return self.break_law(Law::BlockedByParents, moment, detail);
        };
        if let Some((by, reason)) = self.holds_of(moment.item).broken {
            let reason = reason.as_str();
            let detail = format_args!("the item was unblocked, and {by} still blocks it ({reason})");
            return self.break_law(Law::BlockedByParents, moment, detail);
        }
        self.set_place(moment.item, Place::Waiting(Waiting { broken: None, ..waiting }));
    }

    pub(super) fn retry_scheduled(&mut self, moment: Moment, failures: u32, due_at: Timestamp) {
        match self.place_of(moment.item) {
            Place::Ended(end) if end.may_be_retried() => {}
            Place::Ended(end) => {
                let detail = format_args!("another attempt was scheduled after a run that ended: {end:?}");
                self.break_law(Law::RetryAfterFailure, moment, detail);
            }
            Place::Open | Place::Waiting(_) | Place::Live(_) | Place::Finished(_) => {
                let detail = format_args!("another attempt was scheduled, and no run had just ended");
                return self.break_law(Law::RetryAfterFailure, moment, detail);
            }
        }
        let Some(item) = self.items.get_mut(moment.item) else { return };
        let before = std::mem::replace(&mut item.failures, failures);
        if failures != before + 1 {
            let detail = format_args!("failure {failures} was counted after {before}");
            self.break_law(Law::FailuresCount, moment, detail);
        }
        self.wait(moment, Waiting { due_at: Some(due_at), ..Waiting::default() });
    }

    pub(super) fn priority_moved(&mut self, moment: Moment, priority: u8, set: u8) {
        if priority > PRIORITY_MAX || priority.abs_diff(set) > MOVE_MAX.unsigned_abs() {
            let detail = format_args!("the priority moved to {priority}, and a person had set {set}");
            self.break_law(Law::PriorityNear, moment, detail);
        }
    }

    pub(super) fn finished(&mut self, moment: Moment, status: Status) {
        let status_said = status.as_str();
        match self.place_of(moment.item) {
            Place::Ended(end) if end.finishes_as() == status => {}
            Place::Ended(end) => {
                let detail =
                    format_args!("the item finished as {status_said} after a run that ended: {end:?}");
                self.break_law(Law::FinishFollowsEnd, moment, detail);
            }
            Place::Open | Place::Waiting(_) if status == Status::Cancelled => {}
            Place::Open | Place::Waiting(_) => {
                let detail = format_args!("the item finished as {status_said} without a run");
                self.break_law(Law::FinishFollowsEnd, moment, detail);
            }
            Place::Live(run) => {
                let detail = format_args!("the item finished as {status_said}, and run {run} is not over");
                self.break_law(Law::FinishFollowsEnd, moment, detail);
            }
            Place::Finished(before) => {
                let before = before.as_str();
                let detail = format_args!("the item finished as {status_said}, and had finished as {before}");
                return self.break_law(Law::FinishedOnce, moment, detail);
            }
        }
        self.set_place(moment.item, Place::Finished(status));
        self.just_finished = Some(moment.item);
    }

    pub(super) fn archived(&mut self, moment: Moment) {
        let Some(item) = self.items.get_mut(moment.item) else { return };
        let rests = matches!(item.place, Place::Open | Place::Finished(_)) && !item.archived;
        item.archived = true;
        if !rests {
            let detail = format_args!("the item was archived while it was queued, live or archived before");
            self.break_law(Law::ArchivedRests, moment, detail);
        }
    }

    pub(super) fn approval_requested(&mut self, moment: Moment, id: ApprovalId, in_turn: bool) {
        let status = approval::Status::Pending;
        let asked = Asked { item: moment.item, status, in_turn, is_kept: false };
        if self.approvals.insert(id, asked).is_some() {
            let detail = format_args!("approval {id} was asked for before");
            return self.break_law(Law::ApprovalDecidedOnce, moment, detail);
        }
        if let Some(item) = self.items.get_mut(moment.item) {
            item.pending += 1;
        }
        self.touch_if_held(moment);
    }

    pub(super) fn approval_decided(&mut self, moment: Moment, id: ApprovalId, status: approval::Status) {
        let is_open =
            |asked: &&mut Asked| asked.item == moment.item && asked.status == approval::Status::Pending;
        let asked = self.approvals.get_mut(id).filter(is_open);
        let (Some(asked), false) = (asked, status == approval::Status::Pending) else {
            let detail = format_args!(
                "approval {id} was decided ({}), and it was not pending for this item",
                status.as_str()
            );
            return self.break_law(Law::ApprovalDecidedOnce, moment, detail);
        };
        asked.status = status;
        let holds = status == approval::Status::Rejected && !asked.in_turn;
        if let Some(item) = self.items.get_mut(moment.item) {
            item.pending = item.pending.saturating_sub(1);
            item.rejected += u32::from(holds);
        }
        self.touch_if_held(moment);
    }

    fn touch_if_held(&mut self, moment: Moment) {
        if self.rules.approvals_required && matches!(self.place_of(moment.item), Place::Waiting(_)) {
            self.touched.push(moment);
        }
    }
}
