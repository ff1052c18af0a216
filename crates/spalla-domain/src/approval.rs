//! An approval: a person's yes or no that a work item waits for; or that of several, where one is not enough.

pub mod tally;

use crate::{ApprovalId, Refusal, Timestamp, WorkItemId, problem::Code};
use serde::{Deserialize, Serialize};

/// What is approved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// That the item starts at all.
    #[default]
    Start,
    /// A deployment.
    Deploy,
    /// A risky command.
    Command,
    /// A merge into somebody's branch.
    Merge,
    /// Spending above a limit.
    Spend,
    /// The use of a secret.
    Secret,
}

/// The state of an approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Nobody has decided.
    Pending,
    /// Somebody said yes.
    Approved,
    /// Somebody said no; the item does not start.
    Rejected,
}

/// An approval as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Its id.
    pub id: ApprovalId,
    /// What waits for it.
    pub work_item_id: WorkItemId,
    /// What is approved.
    pub kind: Kind,
    /// Where it stands.
    pub status: Status,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// When it was decided.
    pub decided_at: Option<Timestamp>,
    /// Who decided.
    pub decided_by: Option<String>,
    /// What they said.
    pub note: Option<String>,
    /// The command that is approved, where it is one.
    pub subject: Option<Subject>,
}

/// The command that an approval is about: a yes to it is a yes to nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// A digest of the command, its folder, the policy in force and the names of the secrets that it gets.
    pub digest: String,
    /// The command.
    pub command: String,
    /// The folder that it runs in, from the workspace's top.
    pub folder: String,
    /// Why a person is asked.
    pub reason: String,
    /// Whether an agent asked in the middle of its work.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_turn: bool,
}

impl Approval {
    /// Tells whether it keeps its item from starting: until it is decided, and where it was refused, unless it was about nothing
    /// but what an agent wanted to do in the middle of its work. That agent was told, and may do without.
    pub fn holds(&self) -> bool {
        match self.status {
            Status::Pending => true,
            Status::Approved => false,
            Status::Rejected => !self.is_in_turn(),
        }
    }

    /// Tells whether an agent asked for it in the middle of its work.
    pub fn is_in_turn(&self) -> bool {
        self.subject.as_ref().is_some_and(|subject| subject.in_turn)
    }
}

/// What a person says to an approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// Yes.
    Approve,
    /// No.
    Reject,
}

/// Returns the state after a decision; an approval is decided once.
pub fn transition(approval: &Approval, decision: Decision) -> Result<Status, Refusal> {
    match (approval.status, decision) {
        (Status::Pending, Decision::Approve) => Ok(Status::Approved),
        (Status::Pending, Decision::Reject) => Ok(Status::Rejected),
        (Status::Approved | Status::Rejected, Decision::Approve | Decision::Reject) => Err(Refusal::new(
            Code::AlreadyDecided,
            format!(
                "approval {} was already {}{}",
                approval.id,
                approval.status.as_str(),
                approval.decided_by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default()
            ),
        )
        .mend("ask for a new approval")),
    }
}

macro_rules! names {
    ($type:ident { $($variant:ident = $name:literal),* $(,)? }) => {
        impl $type {
            /// Returns the name on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Reads the name back.
            pub fn parse(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

names!(Kind { Start = "start", Deploy = "deploy", Command = "command", Merge = "merge", Spend = "spend", Secret = "secret" });
names!(Status { Pending = "pending", Approved = "approved", Rejected = "rejected" });

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_approval_is_decided_once() {
        let mut approval = Approval {
            id: ApprovalId(1),
            work_item_id: WorkItemId(2),
            kind: Kind::Deploy,
            status: Status::Pending,
            requested_at: Timestamp::from_ms(0),
            decided_at: None,
            decided_by: None,
            note: None,
            subject: None,
        };
        for (decision, status) in
            [(Decision::Approve, Status::Approved), (Decision::Reject, Status::Rejected)]
        {
            approval.status = Status::Pending;
            assert_eq!(transition(&approval, decision), Ok(status));
            approval.status = status;
            for again in [Decision::Approve, Decision::Reject] {
                assert_eq!(transition(&approval, again).unwrap_err().code, Code::AlreadyDecided);
            }
        }
    }
}
