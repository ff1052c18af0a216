//! The audit on the wire.

use super::words;
use serde::Serialize;
use spalla_domain::{Timestamp, audit};
use utoipa::ToSchema;

words! {
    /// What came of a call.
    AuditOutcome for audit::Outcome {
        /// What was wanted was done, or had been done before under the same key.
        Done = "done",
        /// It was refused, and nothing changed.
        Refused = "refused",
        /// The server could not do it.
        Failed = "failed",
    }
}

/// Who wanted what, and what came of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AuditEntry {
    /// Its number.
    id: i64,
    /// When it was written.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Who called: `administrator` with the token, `anyone` where everybody is let in, and otherwise whose token it was, such
    /// as `user:ada#7`, `worker:build#3` or, of the agent of a run, `run:12#1`.
    principal: String,
    /// From which address.
    client: String,
    /// What for: the method and the path with its parameters' names.
    operation: String,
    /// What it is about: the path as it was called.
    resource: String,
    /// What came of it.
    outcome: AuditOutcome,
    /// The code of the problem; null where it was done.
    code: Option<String>,
    /// The X-Request-ID of the answer.
    request_id: String,
    /// The digest of the entry before; of the first, zeros.
    previous_hash: String,
    /// The digest of this entry, the one of the entry before included.
    hash: String,
}

/// Where the chain ends.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AuditHead {
    /// The number of the newest entry; 0 where there is none.
    id: i64,
    /// Its digest.
    hash: String,
}

impl From<audit::chain::Head> for AuditHead {
    fn from(head: audit::chain::Head) -> Self {
        Self { id: head.id.0, hash: head.hash.to_string() }
    }
}

impl From<audit::Entry> for AuditEntry {
    fn from(entry: audit::Entry) -> Self {
        let audit::Call { principal, client, operation, resource, request_id } = entry.call;
        Self {
            id: entry.id.0,
            at: entry.at,
            principal,
            client,
            operation,
            resource,
            outcome: entry.outcome.into(),
            code: entry.code,
            request_id,
            previous_hash: entry.previous_hash.to_string(),
            hash: entry.hash.to_string(),
        }
    }
}
