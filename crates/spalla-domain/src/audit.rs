//! The audit: who wanted what of the server, and what came of it. Entries are added and never changed, and each bears
//! the digest of the one before.

pub mod chain;

use crate::{AuditId, Timestamp};
use chain::Digest;
use serde::{Deserialize, Serialize};

/// What came of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// What was wanted was done, or had been done before under the same key.
    Done,
    /// It was refused, and nothing changed.
    Refused,
    /// The server could not do it.
    Failed,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 3] = [Self::Done, Self::Refused, Self::Failed];

    /// Returns the name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }

    /// Reads the name back.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == name)
    }
}

/// A call that is to change something, before anybody knows what comes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Who called: a token's name, or `anyone` where everybody is let in.
    pub principal: String,
    /// From which address.
    pub client: String,
    /// What for: the method and the path with its parameters' names, such as `POST /work-items/{id}/start`.
    pub operation: String,
    /// What it is about: the path as it was called.
    pub resource: String,
    /// The id of the request, which the server's log knows too.
    pub request_id: String,
}

impl Call {
    /// Makes the entry once it is known what came of the call.
    pub fn ended(self, outcome: Outcome, code: Option<String>) -> NewEntry {
        NewEntry { call: self, outcome, code }
    }
}

/// An entry that has no number yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEntry {
    /// The call.
    pub call: Call,
    /// What came of it.
    pub outcome: Outcome,
    /// Why it was not done: the code of the problem.
    pub code: Option<String>,
}

/// An entry of the audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number; entries are listed by it.
    pub id: AuditId,
    /// When it was written.
    pub at: Timestamp,
    /// The call.
    pub call: Call,
    /// What came of it.
    pub outcome: Outcome,
    /// Why it was not done: the code of the problem.
    pub code: Option<String>,
    /// The digest of the entry before; of the first one, [`Digest::NONE`].
    pub previous_hash: Digest,
    /// The digest of this entry, the one of the entry before included.
    pub hash: Digest,
}
