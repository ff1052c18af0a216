//! What to do about what stopped an agent.
#![allow(missing_docs)]
use crate::definition::Definition;
use crate::heard::{Denied, TurnEnd};
use crate::trouble::{Cause, Trouble};
use jiff::Timestamp;
use spalla_domain::retry::ErrorClass;
use std::collections::BTreeSet;

/// What a turn came to, as far as recovery has to know.
#[derive(Debug)]
pub struct Ended<'a> {
    pub troubles: &'a [Trouble],
    pub denied: &'a [Denied],
    pub end: Option<TurnEnd>,
    pub exit_code: Option<i32>,
    pub has_changed: bool,
    pub thread: Option<&'a str>,
}
#[derive(Debug, Clone, Default)]
pub struct Allowed {
    pub folders: Vec<String>,
    pub tools: Vec<String>,
    pub trust: bool,
    pub longest_wait_ms: u64,
}
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    None,
    Relaunch { change: Change },
    Wait { until: Timestamp },
    NextAgent { walled_until: Option<Timestamp> },
    Ask { suggestions: Vec<String> },
    Fail { class: ErrorClass },
}
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    Folders(Vec<String>),
    Trust,
    Tools(Vec<String>),
    Compact,
    Restart,
}
#[derive(Debug, Clone)]
pub struct Diagnosis {
    pub cause: Option<Cause>,
    pub reason: String,
    pub resets_at: Option<Timestamp>,
    pub action: Action,
    pub may_succeed: bool,
}
pub fn diagnose(
    _adapter: &Definition,
    ended: &Ended<'_>,
    _allowed: &Allowed,
    _tried: &BTreeSet<Cause>,
    _now: Timestamp,
) -> Diagnosis {
    let last = ended.troubles.iter().rev().find(|t| t.is_final);
    Diagnosis {
        cause: last.map(|t| t.cause),
        reason: last.map(|t| t.text.clone()).unwrap_or_default(),
        resets_at: last.and_then(|t| t.resets_at),
        action: match last {
            Some(_) => Action::Fail { class: ErrorClass::Failed },
            None => Action::None,
        },
        may_succeed: last.is_none() && ended.has_changed,
    }
}
