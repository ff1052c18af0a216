//! Every id is its own type and a plain JSON number on the wire, ascending per kind from 1 and below 2^53.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The largest number that JSON readers keep exact; ids stay below it.
pub const ID_MAX: i64 = (1 << 53) - 1;

macro_rules! numeric_ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl From<i64> for $name {
            fn from(value: i64) -> Self {
                Self(value)
            }
        }
    )*};
}

numeric_ids! {
    /// A project.
    ProjectId;
    /// A work item; also the key of its place in the queue, since a work item has at most one entry.
    WorkItemId;
    /// A queue entry, as clients see it.
    EntryId;
    /// One attempt to execute a work item.
    RunId;
    /// A person's yes or no that a work item waits for.
    ApprovalId;
    /// A draft of requirements.
    DraftId;
    /// A schedule of a work item.
    ScheduleId;
    /// A question to a person whose answer is values.
    InfoRequestId;
    /// A file that a run left.
    ArtifactId;
    /// An entry of the audit.
    AuditId;
    /// A token.
    TokenId;
    /// A webhook.
    WebhookId;
    /// A message.
    MessageId;
    /// An alias of an agent.
    AliasId;
    /// The combination of project, executor and labels that claimers choose by.
    QueueId;
    /// The number of an event; a safe cursor on every store.
    EventSeq;
    /// The fencing token: grows with every lease of a work item, so that late writes of an old holder fail.
    Fence;
}

impl ProjectId {
    /// What an event belongs to that concerns every project.
    pub const NONE: Self = Self(0);
}

impl Fence {
    /// The token of an item that nobody has held yet.
    pub const NONE: Self = Self(0);

    /// Returns the token of the next lease.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// The id that a worker process gives itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WorkerId(String);

/// The longest worker id, in bytes.
pub const WORKER_ID_BYTES_MAX: usize = 200;

impl WorkerId {
    /// Accepts 1 to 200 bytes without control characters.
    pub fn new(text: impl Into<String>) -> Result<Self, String> {
        let text = text.into();
        let fits = !text.is_empty() && text.len() <= WORKER_ID_BYTES_MAX;
        if fits && !text.chars().any(char::is_control) {
            Ok(Self(text))
        } else {
            Err(format!("a worker id has 1 to {WORKER_ID_BYTES_MAX} bytes and no control characters"))
        }
    }

    /// Returns the id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for WorkerId {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Self::new(text)
    }
}

impl From<WorkerId> for String {
    fn from(id: WorkerId) -> Self {
        id.0
    }
}

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
