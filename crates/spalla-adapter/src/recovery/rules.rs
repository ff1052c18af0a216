//! Which cause leads to which recovery: a table, which an adapter's file may overrule line by line.

use crate::definition::{Definition, WishName};
use crate::trouble::Cause;
use serde::Deserialize;

/// What is tried about a cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recovery {
    /// The folders that were missing are added, where policy has them.
    Folders,
    /// The tools that were denied are allowed, where policy has them.
    Tools,
    /// The folder is trusted, where policy says so.
    Trust,
    /// The conversation is made shorter.
    Compact,
    /// The command line is started again.
    Restart,
    /// It waits, for a guessed time where nothing is told.
    Wait,
    /// It waits where the end is told; another agent goes on otherwise.
    WaitIfTold,
    /// Another agent goes on.
    NextAgent,
    /// A person decides.
    Ask,
    /// It fails.
    Fail,
}

/// A line of an adapter's own table.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The cause.
    pub cause: Cause,
    /// What is tried.
    pub action: Recovery,
}

/// The table for all adapters: each cause, what is tried, and how people call the cause.
const TABLE: [(Cause, Recovery, &str); 16] = [
    (Cause::RateLimit, Recovery::Wait, "it was asked too often"),
    (Cause::Overloaded, Recovery::Wait, "the service has too much to do"),
    (Cause::Quota, Recovery::WaitIfTold, "what may be used is used up"),
    (Cause::ServerError, Recovery::Restart, "the service failed"),
    (Cause::Network, Recovery::Restart, "the service was not reached"),
    (Cause::Crashed, Recovery::Restart, "the process broke"),
    (Cause::Machine, Recovery::Ask, "the machine lacks what it needs"),
    (Cause::ContextFull, Recovery::Compact, "the conversation is too long"),
    (Cause::Auth, Recovery::Ask, "the key or the login is missing or wrong"),
    (Cause::Untrusted, Recovery::Trust, "the folder is not trusted"),
    (Cause::OutsideWorkspace, Recovery::Folders, "a path is outside of the folders that it may use"),
    (Cause::Denied, Recovery::Tools, "something was not allowed"),
    (Cause::Usage, Recovery::Fail, "it was called with what it does not know"),
    (Cause::BadRequest, Recovery::Fail, "the service calls the request wrong"),
    (Cause::Refusal, Recovery::NextAgent, "the model would not do it"),
    (Cause::Unknown, Recovery::Fail, "it failed"),
];

/// Returns what is tried about a cause. What a command line has no argument for is asked instead: it could not be
/// granted.
pub(super) fn recovery_of(adapter: &Definition, cause: Cause) -> Recovery {
    let own = adapter.recovery.iter().find(|rule| rule.cause == cause).map(|rule| rule.action);
    let built_in = || TABLE.iter().find(|row| row.0 == cause).map(|row| row.1);
    let recovery = own.or_else(built_in).unwrap_or(Recovery::Fail);
    match recovery {
        Recovery::Folders if !adapter.takes(WishName::Folder) => Recovery::Ask,
        Recovery::Tools if !adapter.takes(WishName::Tool) => Recovery::Ask,
        other => other,
    }
}

/// Returns how people call a cause.
pub(super) fn words_of(cause: Cause) -> &'static str {
    TABLE.iter().find(|row| row.0 == cause).map_or("it failed", |row| row.2)
}
