//! What the command policy found in the steps of a run, as its worker tells the server before it carries them out:
//! commands that are only watched, that wait for a person, or that are never run.

use crate::approval::{Approval, Kind, Status, Subject};
use crate::problem::Code;
use crate::{ApprovalId, Refusal};
use serde::{Deserialize, Serialize};

/// The most commands of one report.
pub const COMMANDS_MAX: usize = 500;
/// The longest command, rule or reason that is kept, in bytes; the digest is of the whole command.
pub const TEXT_BYTES_MAX: usize = 4_096;
/// The length of a digest, in hexadecimal digits.
const DIGEST_CHARS: usize = 64;

/// What is done about a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// It is run, and recorded.
    Watched,
    /// It is run once a person has said yes to exactly this.
    Confirm,
    /// It is never run.
    Blocked,
}

impl Level {
    /// Returns the name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Watched => "watched",
            Self::Confirm => "confirm",
            Self::Blocked => "blocked",
        }
    }
}

/// A command of a run that a rule of the policy is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FoundCommand {
    /// The number of the step, from 1.
    pub step: u32,
    /// What is done about it.
    pub level: Level,
    /// A digest of the command, its folder, the policy and the names of the secrets that it gets: what a person says
    /// yes to. 64 hexadecimal digits.
    pub digest: String,
    /// The command.
    pub command: String,
    /// The folder that it runs in, from the workspace's top.
    pub folder: String,
    /// The rule.
    pub rule: String,
    /// What the rule says.
    pub reason: String,
    /// Whether an agent asks in the middle of its work: a no is told to it, and holds nothing that comes after.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_turn: bool,
}

/// What becomes of the commands that wait for a person.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Answer {
    /// Approvals that nobody has decided: the run is given back and waits for them.
    pub pending: Vec<ApprovalId>,
    /// Approvals that somebody refused.
    pub rejected: Vec<ApprovalId>,
}

impl FoundCommand {
    /// Refuses what can't be kept.
    pub fn check(&self) -> Result<(), Refusal> {
        let invalid = |detail: String| Err(Refusal::new(Code::Invalid, detail));
        if self.digest.len() != DIGEST_CHARS || !self.digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return invalid(format!("digest is {DIGEST_CHARS} hexadecimal digits"));
        }
        let texts = [
            ("command", &self.command),
            ("folder", &self.folder),
            ("rule", &self.rule),
            ("reason", &self.reason),
        ];
        match texts.into_iter().find(|(_, text)| text.len() > TEXT_BYTES_MAX) {
            Some((name, text)) => {
                invalid(format!("{name} has {} bytes; at most {TEXT_BYTES_MAX} are kept", text.len()))
            }
            None => Ok(()),
        }
    }

    /// Returns what a person is asked to say yes to.
    pub fn subject(&self) -> Subject {
        Subject {
            digest: self.digest.clone(),
            command: self.command.clone(),
            folder: self.folder.clone(),
            reason: self.reason.clone(),
            in_turn: self.in_turn,
        }
    }
}

/// Returns where the newest approval of exactly this command stands; none where nobody was asked.
pub fn standing<'a>(
    found: &FoundCommand,
    approvals: impl IntoIterator<Item = &'a Approval>,
) -> Option<(ApprovalId, Status)> {
    let of_this = |approval: &&Approval| {
        let digest = approval.subject.as_ref().map(|subject| subject.digest.as_str());
        approval.kind == Kind::Command && digest == Some(found.digest.as_str())
    };
    let newest = approvals.into_iter().filter(of_this).max_by_key(|approval| approval.id);
    newest.map(|approval| (approval.id, approval.status))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Timestamp, WorkItemId};

    fn push() -> FoundCommand {
        FoundCommand {
            step: 1,
            level: Level::Confirm,
            digest: "a1".repeat(32),
            command: "git push".into(),
            folder: ".".into(),
            rule: "git-push".into(),
            reason: "sends commits to others".into(),
            in_turn: false,
        }
    }

    fn approval(id: i64, status: Status, subject: Option<Subject>) -> Approval {
        Approval {
            id: ApprovalId(id),
            work_item_id: WorkItemId(1),
            kind: Kind::Command,
            status,
            requested_at: Timestamp::from_ms(0),
            decided_at: None,
            decided_by: None,
            note: None,
            subject,
        }
    }

    #[test]
    fn only_a_yes_to_exactly_this_command_counts_and_the_newest_word_does() {
        let other = FoundCommand { digest: "b2".repeat(32), ..push() };
        let approvals = [
            approval(3, Status::Approved, Some(push().subject())),
            approval(1, Status::Rejected, Some(push().subject())),
            approval(4, Status::Approved, Some(other.subject())),
            approval(5, Status::Pending, None),
        ];
        assert_eq!(standing(&push(), &approvals), Some((ApprovalId(3), Status::Approved)));
        assert_eq!(standing(&push(), &approvals[1..2]), Some((ApprovalId(1), Status::Rejected)));
        assert_eq!(standing(&push(), &approvals[2..]), None);
    }

    #[test]
    fn what_is_no_digest_or_too_long_is_refused() {
        assert_eq!(push().check(), Ok(()));
        for digest in ["", "xyz", &"g".repeat(64), &"a".repeat(63)] {
            assert!(FoundCommand { digest: (*digest).into(), ..push() }.check().is_err(), "{digest}");
        }
        let long = FoundCommand { command: "x".repeat(TEXT_BYTES_MAX + 1), ..push() };
        assert!(long.check().unwrap_err().detail.starts_with("command has 4097 bytes"));
    }
}
