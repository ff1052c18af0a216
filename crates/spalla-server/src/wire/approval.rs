//! Approvals on the wire.

use super::number::Number;
use super::text::{Name, Note};
use super::{Body, words};
use serde::{Deserialize, Serialize};
use spalla_domain::{Timestamp, approval};
use spalla_store::view::ApprovalView;
use utoipa::ToSchema;

words! {
    /// What is approved.
    ApprovalKind for approval::Kind {
        /// That the item starts at all.
        Start = "start",
        /// A deployment.
        Deploy = "deploy",
        /// A risky command.
        Command = "command",
        /// A merge into somebody's branch.
        Merge = "merge",
        /// Spending above a limit.
        Spend = "spend",
        /// The use of a secret.
        Secret = "secret",
    }
}

words! {
    /// The state of an approval.
    ApprovalStatus for approval::Status {
        /// Nobody has decided.
        Pending = "pending",
        /// Somebody said yes.
        Approved = "approved",
        /// Somebody said no; the item does not start.
        Rejected = "rejected",
    }
}

/// A person's yes or no that a work item waits for.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Approval {
    /// Its id.
    id: i64,
    /// What waits for it.
    work_item_id: i64,
    /// The title of what waits.
    title: String,
    /// What is approved.
    kind: ApprovalKind,
    /// Where it stands.
    status: ApprovalStatus,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    requested_at: Timestamp,
    /// When it was decided.
    #[schema(value_type = Option<String>, format = DateTime)]
    decided_at: Option<Timestamp>,
    /// Who decided.
    decided_by: Option<String>,
    /// What they said.
    note: Option<String>,
}

impl From<ApprovalView> for Approval {
    fn from(view: ApprovalView) -> Self {
        let approval = view.approval;
        Self {
            id: approval.id.0,
            work_item_id: approval.work_item_id.0,
            title: view.title,
            kind: approval.kind.into(),
            status: approval.status.into(),
            requested_at: approval.requested_at,
            decided_at: approval.decided_at,
            decided_by: approval.decided_by,
            note: approval.note,
        }
    }
}

/// An approval to be asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewApproval {
    /// What is to be approved; `start` when left out.
    kind: Option<ApprovalKind>,
    /// How many people have to say yes: one.
    #[schema(inline)]
    #[expect(
        dead_code,
        reason = "one is the only count there is, so the value says nothing once it is checked"
    )]
    count: Option<Number<1, 1>>,
}

impl Body for NewApproval {}

impl NewApproval {
    /// Returns what is to be approved.
    pub(crate) fn kind(&self) -> approval::Kind {
        self.kind.map(Into::into).unwrap_or_default()
    }
}

/// What a person says.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Verdict {
    /// Who says it.
    #[schema(inline)]
    pub(crate) by: Option<Name>,
    /// Why.
    #[schema(inline)]
    pub(crate) note: Option<Note>,
}

impl Body for Verdict {}
