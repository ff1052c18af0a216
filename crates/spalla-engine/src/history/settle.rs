//! What a change has to be followed by: a store tells in one go what the change of one item means for itself and for
//! what waits for it. Once the log speaks of something else, all of that has to be said.

use super::standing::{Moment, Place, Waiting};
use super::{History, Law};
use spalla_domain::event::{Event, Fact};

impl History {
    /// Tells whether an event may still belong to the change that is being told.
    pub(super) fn goes_on(&self, event: &Event) -> bool {
        if self.touched.is_empty() {
            return true;
        }
        match event.fact {
            Fact::WorkItemBlocked { .. } | Fact::WorkItemUnblocked {} | Fact::WorkItemReady {} => true,
            Fact::PriorityMoved { .. } => true,
            Fact::RetryScheduled { .. } | Fact::WorkItemFinished { .. } => {
                event.work_item_id.is_some_and(|id| matches!(self.place_of(id), Place::Ended(_)))
            }
            Fact::WorkItemArchived {} => self.just_finished == event.work_item_id,
            _ => false,
        }
    }

    /// Says that the log was read up to the end of a change, such as its own end: everything that had to be said of
    /// the changes so far has to be said by now.
    pub fn settle(&mut self) {
        let mut touched = std::mem::take(&mut self.touched);
        for moment in touched.drain(..) {
            match self.place_of(moment.item) {
                Place::Waiting(waiting) => self.settle_waiting(moment, waiting),
                Place::Ended(end) => {
                    let detail = format_args!("a run ended ({end:?}), and nothing became of its item");
                    self.break_law(Law::EndHasConsequence, moment, detail);
                    self.set_place(moment.item, Place::Finished(end.finishes_as()));
                }
                Place::Open | Place::Live(_) | Place::Finished(_) => {}
            }
        }
        self.touched = touched;
    }

    fn settle_waiting(&mut self, moment: Moment, mut waiting: Waiting) {
        let holds = self.holds_of(moment.item);
        match (waiting.broken, holds.broken) {
            (None, Some((by, reason))) => {
                let reason = reason.as_str();
                let detail =
                    format_args!("dependency {by} blocks the item ({reason}), and it is not said so");
                self.break_law(Law::BlockedByParents, moment, detail);
            }
            (Some(reason), None) => {
                let reason = reason.as_str();
                let detail =
                    format_args!("nothing blocks the item ({reason}) any more, and it is not said so");
                self.break_law(Law::BlockedByParents, moment, detail);
            }
            (None, None) | (Some(_), Some(_)) => {}
        }
        waiting.broken = holds.broken.map(|(_, reason)| waiting.broken.unwrap_or(reason));
        match (waiting.ready, holds.are_none(waiting.due_at, moment.at)) {
            (true, false) => waiting.ready = false,
            (false, true) => {
                let detail = format_args!("nothing holds the item any more, and it is not made ready");
                self.break_law(Law::FreedAtOnce, moment, detail);
                waiting = Waiting { ready: true, ..Waiting::default() };
            }
            (true, true) => waiting.due_at = None,
            (false, false) => {}
        }
        self.set_place(moment.item, Place::Waiting(waiting));
    }
}
