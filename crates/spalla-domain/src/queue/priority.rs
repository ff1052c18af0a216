//! How a priority moves by itself around what a person set: up on the critical path and for what mends a blocker, down
//! with each attempt that failed. Every move has its reason.

use super::Entry;
use crate::event::Fact;
use crate::work_item::PRIORITY_MAX;
use serde::{Deserialize, Serialize};

/// No priority moves further than this from what a person set.
pub const MOVE_MAX: i8 = 2;

/// What of an item's standing moves its priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Circumstances {
    /// Whether it is on the critical path of its session.
    pub on_critical_path: bool,
    /// Whether it mends what blocks others.
    pub mends_blocker: bool,
    /// How many of its attempts failed since it was enqueued or requeued.
    pub failures: u32,
}

/// Why a priority moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Reason {
    /// One up: it is on the critical path of its session.
    CriticalPath,
    /// One up: it mends what blocks others.
    MendsBlocker,
    /// One down for each attempt that failed.
    FailedAttempts {
        /// How many.
        count: u32,
    },
    /// It moved as far as it may; the rest does not count.
    Limited,
}

/// A priority and why it is not what a person set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adjusted {
    /// The priority in force.
    pub priority: u8,
    /// What moved it, in the order of the rules; empty where nothing did.
    pub reasons: Vec<Reason>,
}

/// What the moves of a priority are reckoned from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// What a person set.
    pub set: u8,
    /// Whether the item mends what blocks others.
    #[serde(default, skip_serializing_if = "is_default")]
    pub mends_blocker: bool,
    /// Attempts that had failed when a person set it; they count no more.
    #[serde(default, skip_serializing_if = "is_default")]
    pub forgiven: u32,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Moved {
    const fn by_nothing(set: u8) -> Self {
        Self { set, mends_blocker: false, forgiven: 0 }
    }
}

impl Entry {
    /// Returns the priority that a person set.
    pub fn set_priority(&self) -> u8 {
        self.moved.map_or(self.priority, |moved| moved.set)
    }

    /// Takes the priority that a person sets: it moves anew from there.
    pub fn set_by_person(&mut self, priority: u8, failures: u32) {
        self.priority = priority;
        self.keep(Moved { forgiven: failures, ..Moved::by_nothing(priority) });
    }

    /// Begins anew from what a person set, with every attempt left.
    pub fn begin_anew(&mut self, mends_blocker: bool) {
        self.keep(Moved { mends_blocker, ..Moved::by_nothing(self.set_priority()) });
    }

    /// Moves the priority by what is so now, where it moves by itself at all; tells of it if it is another one.
    pub fn move_priority(&mut self, by_itself: bool, on_critical_path: bool, failures: u32) -> Option<Fact> {
        let kept = self.moved.unwrap_or(Moved::by_nothing(self.priority));
        let failures = failures.saturating_sub(kept.forgiven);
        let circumstances = Circumstances { on_critical_path, mends_blocker: kept.mends_blocker, failures };
        let circumstances = if by_itself { circumstances } else { Circumstances::default() };
        let Adjusted { priority, reasons } = adjusted(kept.set, circumstances);
        let before = std::mem::replace(&mut self.priority, priority);
        self.keep(kept);
        (before != priority).then_some(Fact::PriorityMoved { priority, set: kept.set, reasons })
    }

    fn keep(&mut self, moved: Moved) {
        self.moved = (moved != Moved::by_nothing(self.priority)).then_some(moved);
    }
}

/// Moves the priority that a person set by the circumstances.
pub fn adjusted(set_by_person: u8, circumstances: Circumstances) -> Adjusted {
    let mut reasons = Vec::new();
    let mut wanted: i64 = 0;
    if circumstances.on_critical_path {
        wanted += 1;
        reasons.push(Reason::CriticalPath);
    }
    if circumstances.mends_blocker {
        wanted += 1;
        reasons.push(Reason::MendsBlocker);
    }
    if circumstances.failures > 0 {
        wanted -= i64::from(circumstances.failures);
        reasons.push(Reason::FailedAttempts { count: circumstances.failures });
    }
    let set = i64::from(set_by_person.min(PRIORITY_MAX));
    let moved = wanted.clamp(-i64::from(MOVE_MAX), i64::from(MOVE_MAX));
    let priority = (set + moved).clamp(0, i64::from(PRIORITY_MAX));
    if priority != set + wanted {
        reasons.push(Reason::Limited);
    }
    // Clamped to 0..=9 above, so it always fits.
    Adjusted { priority: u8::try_from(priority).unwrap_or(PRIORITY_MAX), reasons }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(on_critical_path: bool, mends_blocker: bool, failures: u32) -> Circumstances {
        Circumstances { on_critical_path, mends_blocker, failures }
    }

    #[test]
    fn each_circumstance_moves_by_one_and_says_so() {
        use Reason::{CriticalPath, FailedAttempts, Limited, MendsBlocker};
        for (set, circumstances, priority, reasons) in [
            (5, at(false, false, 0), 5, vec![]),
            (5, at(true, false, 0), 6, vec![CriticalPath]),
            (5, at(true, true, 0), 7, vec![CriticalPath, MendsBlocker]),
            (5, at(true, true, 1), 6, vec![CriticalPath, MendsBlocker, FailedAttempts { count: 1 }]),
            (5, at(true, false, 1), 5, vec![CriticalPath, FailedAttempts { count: 1 }]),
            (5, at(false, false, 3), 3, vec![FailedAttempts { count: 3 }, Limited]),
            (9, at(true, false, 0), 9, vec![CriticalPath, Limited]),
            (0, at(false, false, 1), 0, vec![FailedAttempts { count: 1 }, Limited]),
        ] {
            assert_eq!(
                adjusted(set, circumstances),
                Adjusted { priority, reasons },
                "{set} {circumstances:?}"
            );
        }
    }

    #[test]
    fn a_reason_is_plain_data() {
        let text = serde_json::to_string(&adjusted(5, at(true, false, 2)).reasons).unwrap();
        assert_eq!(text, r#"[{"reason":"critical_path"},{"reason":"failed_attempts","count":2}]"#);
    }

    proptest! {
        #[test]
        fn a_priority_stays_near_the_persons_and_within_its_range(
            set in 0..=PRIORITY_MAX, path in any::<bool>(), mends in any::<bool>(), failures in any::<u32>(),
        ) {
            let adjusted = adjusted(set, at(path, mends, failures));
            prop_assert!(adjusted.priority <= PRIORITY_MAX && adjusted.priority.abs_diff(set) <= MOVE_MAX as u8);
            prop_assert_eq!(adjusted.reasons.is_empty(), !path && !mends && failures == 0);
        }

        #[test]
        fn a_further_failure_never_raises_a_priority(
            set in 0..=PRIORITY_MAX, path in any::<bool>(), mends in any::<bool>(), failures in 0..10_u32,
        ) {
            let of = |failures| adjusted(set, at(path, mends, failures)).priority;
            prop_assert!(of(failures + 1) <= of(failures));
        }
    }
}
