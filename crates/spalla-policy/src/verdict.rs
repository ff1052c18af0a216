//! What a policy says about a script, and the hash that binds a person's yes to what was asked.

use crate::marks;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The most findings of one verdict; what is graver displaces what is lighter.
pub const FINDINGS_MAX: usize = 64;
/// The most characters of a command that a finding shows.
pub const COMMAND_CHARS_MAX: usize = 200;

/// What becomes of a script, from the lightest to the gravest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// It runs.
    Allowed,
    /// It runs, and the audit says so.
    Watched,
    /// It runs once a person has said yes to it.
    Confirm,
    /// It is refused.
    Blocked,
}

/// One thing in a script that a rule speaks of.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Finding {
    /// What this alone would make of the script.
    pub level: Level,
    /// The rule's name.
    pub rule: String,
    /// The command as the shell would run it, shortened; `…` stands for what can't be told before it runs.
    pub command: String,
    /// Why, for people.
    pub reason: String,
    /// Whether whoever may do much without asking need not ask for this either.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub is_waivable: bool,
}

/// What is not said can be waived.
pub(crate) const fn yes() -> bool {
    true
}

/// Tells whether nothing has to be said.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands on a reference")]
pub(crate) const fn is_yes(value: &bool) -> bool {
    *value
}

/// What a policy says about a script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The gravest level of the findings.
    pub level: Level,
    /// Every finding, the gravest first; at most [`FINDINGS_MAX`].
    pub findings: Vec<Finding>,
}

impl Verdict {
    /// Returns the verdict that follows from findings, each of them once.
    pub(crate) fn of(mut findings: Vec<Finding>) -> Self {
        let mut seen = std::collections::HashSet::new();
        findings.retain(|finding| seen.insert(finding.clone()));
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.level));
        findings.truncate(FINDINGS_MAX);
        Self { level: findings.first().map_or(Level::Allowed, |finding| finding.level), findings }
    }
}

/// Returns a command as a finding shows it.
pub(crate) fn shortened(command: &str) -> String {
    let shown = marks::shown(command);
    match shown.char_indices().nth(COMMAND_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &shown[..end]),
        None => shown,
    }
}

/// Returns what a yes is bound to, in hexadecimal: it is void as soon as the command, its folder, the policy or the names of the
/// secrets that it is given change. The order and doubles of the names do not count.
pub fn confirmation_hash(command: &str, folder: &Path, policy_digest: &str, secret_names: &[&str]) -> String {
    let mut names = secret_names.to_vec();
    names.sort_unstable();
    names.dedup();
    let mut hasher = blake3::Hasher::new_derive_key("spalla 2026 confirmation of a command");
    let fixed = [command.as_bytes(), folder.as_os_str().as_encoded_bytes(), policy_digest.as_bytes()];
    // Each part with its length: no two lists of parts are the same bytes.
    for part in fixed.into_iter().chain(names.iter().map(|name| name.as_bytes())) {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize().to_hex().to_string()
}
