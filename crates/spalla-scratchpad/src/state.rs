//! The states of a scratchpad, and which step leads from which to which.

use serde::{Deserialize, Serialize};

/// How a scratchpad is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Somebody works in it, or may.
    Active,
    /// A person put it aside: it is kept until somebody goes on.
    Paused,
    /// The task is done.
    Completed,
    /// The task is not done, for good.
    Failed,
    /// What was made was taken out.
    Exported,
    /// Its time is over.
    Expired,
}

/// What is done to a scratchpad.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A person puts it aside.
    Pause,
    /// Somebody goes on.
    Resume,
    /// The task is done.
    Complete,
    /// It is not, for good.
    Fail,
    /// What was made is taken out.
    Export,
    /// The janitor begins to remove it.
    Expire,
}

impl State {
    /// Returns the state after a step; none where the step is not possible. Doing the same again changes nothing.
    pub const fn after(self, step: Step) -> Option<Self> {
        match (self, step) {
            (_, Step::Expire) => Some(Self::Expired),
            (Self::Expired, _) => None,
            (_, Step::Export) => Some(Self::Exported),
            (Self::Active | Self::Paused, Step::Pause) => Some(Self::Paused),
            (Self::Active | Self::Paused | Self::Failed | Self::Exported, Step::Resume) => Some(Self::Active),
            (Self::Active | Self::Completed, Step::Complete) => Some(Self::Completed),
            (Self::Active | Self::Failed, Step::Fail) => Some(Self::Failed),
            _ => None,
        }
    }

    /// Tells whether time ends it; what a person put aside stays.
    pub const fn ends_with_time(self) -> bool {
        !matches!(self, Self::Paused)
    }

    /// Returns its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Exported => "exported",
            Self::Expired => "expired",
        }
    }
}

impl Step {
    /// Returns what it does, as a sentence goes on.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Pause => "paused",
            Self::Resume => "resumed",
            Self::Complete => "completed",
            Self::Fail => "failed",
            Self::Export => "exported",
            Self::Expire => "removed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATES: [State; 6] =
        [State::Active, State::Paused, State::Completed, State::Failed, State::Exported, State::Expired];
    const STEPS: [Step; 5] = [Step::Pause, Step::Resume, Step::Complete, Step::Fail, Step::Export];

    #[test]
    fn the_same_step_twice_is_the_same_as_once() {
        for state in STATES {
            for step in STEPS {
                if let Some(after) = state.after(step) {
                    assert_eq!(after.after(step), Some(after), "{state:?} {step:?}");
                }
            }
        }
    }

    #[test]
    fn nothing_leads_back_from_the_end() {
        assert!(STEPS.iter().all(|step| State::Expired.after(*step).is_none()));
        assert!(STATES.iter().all(|state| state.after(Step::Expire) == Some(State::Expired)));
    }

    #[test]
    fn what_was_put_aside_stays_and_is_no_end_of_its_task() {
        assert!(!State::Paused.ends_with_time());
        assert_eq!(State::Paused.after(Step::Complete), None);
        assert_eq!(State::Completed.after(Step::Resume), None);
    }
}
