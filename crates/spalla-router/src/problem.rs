//! What is wrong with the triggers of a fleet: told, and passed over, so that one bad pattern stops no other.

use serde::Serialize;
use std::fmt;

/// How many are told; beyond that they are counted.
const TOLD_MAX: usize = 100;
/// How much of a trigger is shown, in bytes.
const SHOWN_BYTES_MAX: usize = 80;

/// A trigger that is not used, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The trigger; of a long one the beginning.
    pub trigger: String,
    /// What is wrong with it.
    pub why: String,
}

/// What was found to be wrong.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Problems {
    /// The first of them.
    pub told: Vec<Problem>,
    /// How many there are.
    pub count: usize,
}

impl Problems {
    pub(crate) fn add(&mut self, trigger: &str, why: impl Into<String>) {
        self.count += 1;
        if self.told.len() < TOLD_MAX {
            let end = trigger.floor_char_boundary(SHOWN_BYTES_MAX);
            let more = if end < trigger.len() { "…" } else { "" };
            self.told.push(Problem { trigger: format!("{}{more}", &trigger[..end]), why: why.into() });
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the trigger {:?} is not used: {}", self.trigger, self.why)
    }
}
