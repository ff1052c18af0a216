//! What is done about a turn that went wrong: its cause, the recovery that stands in the table for it, and whether the
//! work may count as done at all. Nothing is ever granted here that the policy does not list.

mod folders;
pub mod rules;
mod suggestions;
mod tools;
mod what;

use crate::definition::Definition;
use crate::heard::{Denied, TurnEnd};
use crate::trouble::{Cause, Trouble};
use jiff::{SignedDuration, Timestamp};
use rules::Recovery;
use spalla_domain::retry::ErrorClass;
use std::collections::BTreeSet;
use what::What;

pub(crate) use tools::{covers, is_one_command, is_server_of};

/// How long is waited for a limit that nobody told the end of, in milliseconds: most pass within half a minute.
pub const WAIT_MS: i64 = 30_000;

/// What a turn came to, as far as recovery has to know.
#[derive(Debug, Clone, Copy)]
pub struct Ended<'a> {
    /// What went wrong around the work, in the order in which it was heard.
    pub troubles: &'a [Trouble],
    /// What was not allowed.
    pub denied: &'a [Denied],
    /// How the turn ended, if it was told.
    pub end: Option<TurnEnd>,
    /// The exit code; none where a signal ended the process.
    pub exit_code: Option<i32>,
    /// Whether anything is different from before.
    pub has_changed: bool,
    /// The conversation, if it began.
    pub thread: Option<&'a str>,
}

/// What policy allows a recovery to add.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allowed {
    /// Folders that may be added, with all that is beneath them.
    pub folders: Vec<String>,
    /// Tools that may be added: names, or patterns such as `Bash(cargo test:*)`.
    pub tools: Vec<String>,
    /// Whether the command line may be told to trust the folder.
    pub trust: bool,
    /// The longest wait for the end of a limit, in milliseconds.
    pub longest_wait_ms: u64,
}

/// What is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Nothing.
    None,
    /// The command line is started again, with one thing changed.
    Relaunch {
        /// What is changed.
        change: Change,
    },
    /// Waits, then goes on.
    Wait {
        /// Until then.
        until: Timestamp,
    },
    /// Another agent goes on.
    NextAgent {
        /// When this one may be asked again, if that is known.
        walled_until: Option<Timestamp>,
    },
    /// A person decides.
    Ask {
        /// What they may do about it.
        suggestions: Vec<String>,
    },
    /// It failed, and nothing here helps.
    Fail {
        /// How the failure counts.
        class: ErrorClass,
    },
}

/// What is changed when a command line is started again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// These folders are added. Whether they exist is for the caller to see: nothing here looks at a disk.
    Folders(Vec<String>),
    /// It is told to trust the folder.
    Trust,
    /// These tools are allowed, in the words of the policy.
    Tools(Vec<String>),
    /// The conversation is made shorter.
    Compact,
    /// Nothing: it goes on where it was.
    Restart,
}

/// What came of looking at a turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    /// Why it went wrong, if it did.
    pub cause: Option<Cause>,
    /// Why this is done, in words.
    pub reason: String,
    /// When a limit is over, if that was said.
    pub resets_at: Option<Timestamp>,
    /// What is done.
    pub action: Action,
    /// Whether the turn may count as a success. A turn that was kept from what it needed never may.
    pub may_succeed: bool,
}

/// Finds out what a turn came to and what is done about it. A cause that is in `tried` was recovered in this run before,
/// and is not recovered again.
pub fn diagnose(
    adapter: &Definition,
    ended: &Ended<'_>,
    allowed: &Allowed,
    tried: &BTreeSet<Cause>,
    now: Timestamp,
) -> Diagnosis {
    match what::what(adapter, ended) {
        What::Done => plain(None, "the turn ended by itself".to_owned(), ended.has_changed),
        What::Interrupted => plain(None, "the turn was interrupted".to_owned(), false),
        What::Passed(denied) => {
            let reason = format!("it went on without what a command was denied: {}", denied.reason);
            plain(None, reason, true)
        }
        What::Trouble { cause, text, resets_at } => {
            let case = Case { adapter, allowed, cause, text: &text, denied: vec![], resets_at, now };
            case.diagnosis(tried)
        }
        What::Denied { cause, denied } => {
            let text = denied.first().map_or_else(String::new, |denied| denied.reason.clone());
            let case = Case { adapter, allowed, cause, text: &text, denied, resets_at: None, now };
            case.diagnosis(tried)
        }
    }
}

fn plain(cause: Option<Cause>, reason: String, may_succeed: bool) -> Diagnosis {
    Diagnosis { cause, reason, resets_at: None, action: Action::None, may_succeed }
}

/// One thing that went wrong.
struct Case<'a> {
    adapter: &'a Definition,
    allowed: &'a Allowed,
    cause: Cause,
    text: &'a str,
    /// What was denied, where that is what went wrong.
    denied: Vec<&'a Denied>,
    resets_at: Option<Timestamp>,
    now: Timestamp,
}

impl Case<'_> {
    fn diagnosis(&self, tried: &BTreeSet<Cause>) -> Diagnosis {
        let recovery = rules::recovery_of(self.adapter, self.cause);
        let again = tried.contains(&self.cause);
        let action = if again { self.again(recovery) } else { self.first(recovery) };
        let before = if again { ", which was recovered in this run before" } else { "" };
        let reason = format!("{}{before}: {}", rules::words_of(self.cause), self.text.trim());
        Diagnosis {
            cause: Some(self.cause),
            reason,
            resets_at: self.resets_at,
            action,
            // Whatever is recovered, asked or failed is not done: the next turn is looked at again.
            may_succeed: false,
        }
    }

    /// What is done about a cause the first time.
    fn first(&self, recovery: Recovery) -> Action {
        match recovery {
            Recovery::Folders => match folders::grant(&self.denied, &self.allowed.folders) {
                Some(folders) => Action::Relaunch { change: Change::Folders(folders) },
                None => self.ask(),
            },
            Recovery::Tools => match tools::grant(&self.denied, &self.allowed.tools) {
                Some(tools) => Action::Relaunch { change: Change::Tools(tools) },
                None => self.ask(),
            },
            Recovery::Trust if self.allowed.trust => Action::Relaunch { change: Change::Trust },
            Recovery::Trust => self.ask(),
            Recovery::Compact => Action::Relaunch { change: Change::Compact },
            Recovery::Restart => Action::Relaunch { change: Change::Restart },
            Recovery::Wait => {
                let guess = || self.now.checked_add(SignedDuration::from_millis(WAIT_MS)).ok();
                self.wait(self.resets_at.or_else(guess))
            }
            Recovery::WaitIfTold => self.wait(self.resets_at),
            Recovery::NextAgent => self.next_agent(),
            Recovery::Ask => self.ask(),
            Recovery::Fail => self.fail(),
        }
    }

    /// What is done about a cause that a recovery did not cure: another agent may not meet it, but what somebody has to
    /// allow stays forbidden whoever comes.
    fn again(&self, recovery: Recovery) -> Action {
        match recovery {
            Recovery::Folders | Recovery::Tools | Recovery::Trust | Recovery::Ask => self.ask(),
            Recovery::Compact
            | Recovery::Restart
            | Recovery::Wait
            | Recovery::WaitIfTold
            | Recovery::NextAgent => self.next_agent(),
            Recovery::Fail => self.fail(),
        }
    }

    fn wait(&self, until: Option<Timestamp>) -> Action {
        let longest = i64::try_from(self.allowed.longest_wait_ms).unwrap_or(i64::MAX);
        match until {
            Some(until) if until.duration_since(self.now) <= SignedDuration::from_millis(longest) => {
                Action::Wait { until }
            }
            _ => self.next_agent(),
        }
    }

    fn next_agent(&self) -> Action {
        Action::NextAgent { walled_until: self.resets_at }
    }

    fn ask(&self) -> Action {
        Action::Ask { suggestions: suggestions::of(self) }
    }

    fn fail(&self) -> Action {
        let class = match self.cause {
            Cause::Usage | Cause::BadRequest => ErrorClass::Validation,
            Cause::Denied | Cause::OutsideWorkspace | Cause::Untrusted | Cause::Auth => ErrorClass::Denied,
            Cause::RateLimit | Cause::Quota | Cause::Overloaded => ErrorClass::RateLimited,
            Cause::Network | Cause::ServerError => ErrorClass::Network,
            Cause::Crashed => ErrorClass::Crashed,
            Cause::Machine => ErrorClass::System,
            Cause::ContextFull | Cause::Refusal | Cause::Unknown => ErrorClass::Failed,
        };
        Action::Fail { class }
    }
}

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;
