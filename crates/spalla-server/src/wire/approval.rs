//! Approvals on the wire.

use super::number::Number;
use super::text::{Name, Note, Word};
use super::{Body, words};
use serde::{Deserialize, Serialize};
use spalla_domain::approval::tally::{DECIDERS_MAX, Need, given};
use spalla_domain::{Timestamp, approval};
use spalla_store::document::ApprovalVotes;
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
    /// The role that whoever decides has to have; null means anybody.
    role: Option<String>,
    /// How many different people have to say yes.
    count: u8,
    /// How many said yes.
    given: u8,
    /// How many more have to; 0 when it is decided.
    missing: u8,
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
    /// The command that is approved, where it is one: a yes to it is a yes to nothing else.
    subject: Option<ApprovalSubject>,
}

/// The command that an approval is about.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ApprovalSubject {
    /// A digest of the command, its folder, the policy in force and the names of the secrets that it gets.
    digest: String,
    /// The command.
    command: String,
    /// The folder that it runs in, from the workspace's top.
    folder: String,
    /// Why a person is asked.
    reason: String,
}

impl From<approval::Subject> for ApprovalSubject {
    fn from(subject: approval::Subject) -> Self {
        let approval::Subject { digest, command, folder, reason, .. } = subject;
        Self { digest, command, folder, reason }
    }
}

impl Approval {
    /// Shows an approval with the votes for it, which are kept where more is asked for than one yes.
    pub(crate) fn new(view: ApprovalView, votes: Option<ApprovalVotes>) -> Self {
        let approval = view.approval;
        let is_given = approval.status == approval::Status::Approved;
        let given = votes.as_ref().map_or(u8::from(is_given), |kept| given(&kept.need, &kept.votes));
        let need = votes.map(|kept| kept.need).unwrap_or_default();
        let is_open = approval.status == approval::Status::Pending;
        Self {
            id: approval.id.0,
            work_item_id: approval.work_item_id.0,
            title: view.title,
            kind: approval.kind.into(),
            status: approval.status.into(),
            role: need.role,
            count: need.count,
            given,
            missing: if is_open { need.count.saturating_sub(given) } else { 0 },
            requested_at: approval.requested_at,
            decided_at: approval.decided_at,
            decided_by: approval.decided_by,
            note: approval.note,
            subject: approval.subject.map(Into::into),
        }
    }
}

/// How many people have to say yes.
type DeciderCount = Number<1, { DECIDERS_MAX as i64 }>;

/// An approval to be asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewApproval {
    /// What is to be approved; `start` when left out.
    kind: Option<ApprovalKind>,
    /// The role that whoever decides has to have; anybody when left out.
    #[schema(inline)]
    role: Option<Word>,
    /// How many different people have to say yes; one when left out.
    #[schema(inline)]
    count: Option<DeciderCount>,
}

impl Body for NewApproval {}

impl NewApproval {
    /// Returns what is to be approved.
    pub(crate) fn kind(&self) -> approval::Kind {
        self.kind.map(Into::into).unwrap_or_default()
    }

    /// Returns who has to say yes.
    pub(crate) fn into_need(self) -> Need {
        let count = self.count.and_then(|count| u8::try_from(count.small()).ok());
        Need { role: self.role.map(Into::into), count: count.unwrap_or(1) }
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
