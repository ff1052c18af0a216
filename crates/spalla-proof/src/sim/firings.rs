//! Schedules, checked by the events alone: no time of theirs is lost, and none comes twice.

use super::people::EVERY_TWO_SECONDS;
use spalla_domain::event::{Event, Fact};
use spalla_domain::schedule::{CatchUp, Overlap, Spec};
use spalla_domain::{ScheduleId, Timestamp};
use std::collections::BTreeMap;

/// The time between two firings, in milliseconds.
const PERIOD_MS: i64 = 2_000;

/// What is known of schedules.
#[derive(Debug, Default)]
pub(crate) struct Firings {
    known: BTreeMap<ScheduleId, Known>,
}

#[derive(Debug, Default)]
struct Known {
    made_at: Option<Timestamp>,
    /// Whether each time has to come, as fired or as skipped; none where nobody was told of the schedule.
    is_strict: Option<bool>,
    /// Whether it was changed: from then on its times are others.
    is_changed: bool,
    /// The times until then, in the order in which they came.
    times: Vec<Timestamp>,
}

impl Firings {
    /// Takes note of what was acknowledged.
    pub(crate) fn made(&mut self, id: ScheduleId, spec: &Spec) {
        // What waits for its item comes at times of its own, and the last of many leaves others out.
        let is_strict =
            spec.cron == EVERY_TWO_SECONDS && spec.overlap == Overlap::Skip && spec.catch_up == CatchUp::All;
        self.known.entry(id).or_default().is_strict = Some(is_strict);
    }

    /// Takes the next event; returns what it breaks.
    pub(crate) fn take(&mut self, event: &Event) -> Option<String> {
        match &event.fact {
            Fact::ScheduleCreated { schedule_id } => {
                self.known.entry(*schedule_id).or_default().made_at = Some(event.at);
            }
            Fact::ScheduleChanged { schedule_id } => {
                self.known.entry(*schedule_id).or_default().is_changed = true;
            }
            Fact::ScheduleRemoved { schedule_id } => {
                let known = self.known.entry(*schedule_id).or_default();
                if known.made_at.is_none() {
                    return Some(format!("schedule {schedule_id} was removed and never made"));
                }
                known.is_changed = true;
            }
            Fact::ScheduleFired { schedule_id, due_at }
            | Fact::ScheduleSkipped { schedule_id, due_at, .. } => {
                let known = self.known.entry(*schedule_id).or_default();
                if !known.is_changed {
                    known.times.push(*due_at);
                }
            }
            _ => {}
        }
        None
    }

    /// Returns what is broken at the end.
    pub(crate) fn close(&self) -> Vec<String> {
        self.known.iter().filter_map(|(id, known)| known.broken(*id)).collect()
    }
}

impl Known {
    fn broken(&self, id: ScheduleId) -> Option<String> {
        if self.is_strict != Some(true) {
            return None;
        }
        let made_at = self.made_at?;
        let mut expected = Timestamp::from_ms((made_at.ms().div_euclid(PERIOD_MS) + 1) * PERIOD_MS);
        for time in &self.times {
            if *time < expected {
                return Some(format!("schedule {id} came to {time} twice"));
            }
            if *time > expected {
                return Some(format!("schedule {id} never came to {expected}, and then to {time}"));
            }
            expected = expected.plus_ms(PERIOD_MS);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use spalla_domain::{EventSeq, ProjectId, WorkItemId};

    fn told(facts: impl IntoIterator<Item = (i64, Fact)>) -> Vec<String> {
        let mut firings = Firings::default();
        let spec = Spec { catch_up: CatchUp::All, ..Spec::new(WorkItemId(1), EVERY_TWO_SECONDS) };
        firings.made(ScheduleId(1), &spec);
        for (at_ms, fact) in facts {
            let (seq, at, work_item_id) = (EventSeq(1), Timestamp::from_ms(at_ms), Some(WorkItemId(1)));
            firings.take(&Event { seq, at, project_id: ProjectId(1), work_item_id, run_id: None, fact });
        }
        firings.close()
    }

    #[test]
    fn a_time_that_is_lost_or_comes_twice_is_found() {
        let schedule_id = ScheduleId(1);
        let made = (500, Fact::ScheduleCreated { schedule_id });
        let fired = |ms| (ms, Fact::ScheduleFired { schedule_id, due_at: Timestamp::from_ms(ms) });
        assert_eq!(told([made.clone(), fired(2_000), fired(4_000)]), Vec::<String>::new());
        assert_eq!(told([made.clone(), fired(4_000)]).len(), 1);
        assert_eq!(told([made.clone(), fired(2_000), fired(2_000)]).len(), 1);
        assert_eq!(told([made.clone(), fired(2_000), fired(6_000)]).len(), 1);
        let changed = (2_500, Fact::ScheduleChanged { schedule_id });
        assert_eq!(told([made, fired(2_000), changed, fired(9_000)]), Vec::<String>::new());
    }
}
