//! What becomes of a session, as its events tell it: that it begins, is held or goes on, waits for a person, and ends.

use crate::event::Fact;
use crate::plan::shortened;
use serde::{Deserialize, Serialize};

/// How much of a goal is told, in characters.
const GOAL_CHARS: usize = 120;
/// How much of a reason is told, in characters.
const WHY_CHARS: usize = 500;

/// What became of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SessionChange {
    /// It is pursued for the first time.
    Begun,
    /// Nothing more of it begins for now.
    Paused,
    /// It goes on.
    Resumed,
    /// Only a person brings it further.
    Waiting,
    /// A person, a decision, a conflict or an interruption ended it.
    Stopped,
    /// It came to its end: done, or failed for good.
    Ended,
}

impl SessionChange {
    /// Returns its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Paused => "paused",
            Self::Resumed => "resumed",
            Self::Waiting => "waiting",
            Self::Stopped => "stopped",
            Self::Ended => "ended",
        }
    }
}

/// What is told of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionNews {
    /// The session.
    pub session_id: String,
    /// The beginning of its goal, on one line.
    pub goal: String,
    /// Where it stands now.
    pub status: String,
    /// Why, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl SessionNews {
    /// Makes it of a session and a reason; both are cut where they are long.
    pub fn new(session_id: &str, goal: &str, status: &str, why: Option<&str>) -> Self {
        let line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        Self {
            session_id: session_id.to_owned(),
            goal: shortened(&line(goal), GOAL_CHARS),
            status: status.to_owned(),
            why: why.map(|why| shortened(&line(why), WHY_CHARS)),
        }
    }

    /// Returns the event that tells it.
    pub fn fact(self, change: SessionChange) -> Fact {
        let news = Box::new(self);
        match change {
            SessionChange::Begun => Fact::SessionBegun(news),
            SessionChange::Paused => Fact::SessionPaused(news),
            SessionChange::Resumed => Fact::SessionResumed(news),
            SessionChange::Waiting => Fact::SessionWaiting(news),
            SessionChange::Stopped => Fact::SessionStopped(news),
            SessionChange::Ended => Fact::SessionEnded(news),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_change_is_an_event_of_its_name() {
        use SessionChange::{Begun, Ended, Paused, Resumed, Stopped, Waiting};
        for change in [Begun, Paused, Resumed, Waiting, Stopped, Ended] {
            let news = SessionNews::new("orch_1", "Mend\n it", "running", None);
            let told = serde_json::to_value(news.fact(change)).unwrap();
            assert_eq!(told["type"], format!("session.{}", change.as_str()));
            assert_eq!(told["payload"]["goal"], "Mend it");
            assert_eq!(serde_json::to_value(change).unwrap(), change.as_str());
        }
    }

    #[test]
    fn what_is_long_is_cut() {
        let news = SessionNews::new("orch_1", &"word ".repeat(99), "paused", Some(&"why ".repeat(999)));
        assert!(news.goal.chars().count() <= GOAL_CHARS && news.why.unwrap().chars().count() <= WHY_CHARS);
    }
}
