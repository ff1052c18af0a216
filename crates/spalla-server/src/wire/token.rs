//! Tokens on the wire.

use super::number::{IdNumber, Number};
use super::text::{Needle, Word};
use super::{Body, words};
use crate::problem::Problem;
use serde::{Deserialize, Serialize};
use spalla_domain::access::token::{self, LIFE_MS_MAX, NewToken as Wish, SecretHash};
use spalla_domain::access::{Action, Conditions, Policy, Resource, role};
use spalla_domain::{ProjectId, RunId, Timestamp, WorkItemId};
use std::collections::BTreeSet;
use utoipa::ToSchema;

words! {
    /// Who shows a token.
    TokenKind for token::Kind {
        /// A person, or a program that acts for one.
        User = "user",
        /// A worker.
        Worker = "worker",
    }
}

words! {
    /// As what somebody is let in.
    Role for role::Role {
        /// Sees.
        Viewer = "viewer",
        /// Sees, and gets work done.
        Operator = "operator",
        /// Sees, and says yes or no.
        Approver = "approver",
        /// Does everything.
        Admin = "admin",
        /// Carries runs out: what a worker's token is.
        Worker = "worker",
    }
}

words! {
    /// What a token is worth.
    TokenStatus for token::Status {
        /// It opens.
        Active = "active",
        /// Its time is over.
        Expired = "expired",
        /// Somebody revoked it.
        Revoked = "revoked",
    }
}

/// Where a policy applies; what is left out does not matter.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConditionsBody {
    /// In these projects.
    #[serde(default)]
    #[schema(inline)]
    project_ids: Option<Vec<IdNumber>>,
    /// With these work items, and what belongs to them.
    #[serde(default)]
    #[schema(inline)]
    work_item_ids: Option<Vec<IdNumber>>,
    /// With these runs, and what belongs to them.
    #[serde(default)]
    #[schema(inline)]
    run_ids: Option<Vec<IdNumber>>,
}

/// What somebody may do beyond their role.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PolicyBody {
    /// With what, such as `run`; `*` is everything.
    #[schema(inline)]
    resource: Needle,
    /// What, such as `read`; `*` is everything.
    #[schema(inline)]
    actions: Vec<Needle>,
    /// Where.
    #[serde(default)]
    conditions: ConditionsBody,
}

/// A wish for a token.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewToken {
    /// What it is called in the audit: letters, digits, dots, dashes and underscores.
    #[schema(inline)]
    name: Word,
    /// Who shows it; a user when left out.
    #[serde(default)]
    kind: Option<TokenKind>,
    /// As what they are let in.
    #[serde(default)]
    role: Option<Role>,
    /// The projects in which the role counts; all when left out.
    #[serde(default)]
    #[schema(inline)]
    project_ids: Option<Vec<IdNumber>>,
    /// What they may do beyond the role.
    #[serde(default)]
    policies: Vec<PolicyBody>,
    /// The roles that approvals may ask for, such as `lead`.
    #[serde(default)]
    #[schema(inline)]
    approval_roles: Vec<Word>,
    /// After how long it is worth nothing; never when left out.
    #[serde(default)]
    #[schema(inline)]
    expires_in_seconds: Option<Number<1, { LIFE_MS_MAX / 1_000 }>>,
}

impl Body for NewToken {}

impl NewToken {
    /// Returns the wish.
    pub(crate) fn into_wish(self, secret_hash: SecretHash, made_by: String) -> Result<Wish, Problem> {
        let read = |(place, policy): (usize, PolicyBody)| {
            policy.into_policy().map_err(|problem| problem.naming(&format!("policies[{place}]")))
        };
        Ok(Wish {
            kind: self.kind.map_or(token::Kind::User, Into::into),
            name: self.name.into(),
            role: self.role.map(Into::into),
            project_ids: self.project_ids.map(ids::<ProjectId>),
            policies: self.policies.into_iter().enumerate().map(read).collect::<Result<_, _>>()?,
            approval_roles: self.approval_roles.into_iter().map(Into::into).collect(),
            life_ms: self.expires_in_seconds.map(|seconds| seconds.get() * 1_000),
            subject: None,
            secret_hash,
            made_by,
        })
    }
}

impl PolicyBody {
    fn into_policy(self) -> Result<Policy, Problem> {
        let resource = String::from(self.resource);
        let resource = Resource::parse(&resource)
            .ok_or_else(|| Problem::invalid("resource", format!("{resource:?} is no resource")))?;
        let action = |text: Needle| {
            let text = String::from(text);
            Action::parse(&text).ok_or_else(|| Problem::invalid("actions", format!("{text:?} is no action")))
        };
        let ConditionsBody { project_ids, work_item_ids, run_ids } = self.conditions;
        let conditions = Conditions {
            project_ids: project_ids.map(ids::<ProjectId>),
            work_item_ids: work_item_ids.map(ids::<WorkItemId>),
            run_ids: run_ids.map(ids::<RunId>),
            held: false,
        };
        let actions = self.actions.into_iter().map(action).collect::<Result<_, _>>()?;
        Ok(Policy { resource, actions, conditions })
    }
}

fn ids<T: From<i64> + Ord>(numbers: Vec<IdNumber>) -> BTreeSet<T> {
    numbers.into_iter().map(|number| number.get().into()).collect()
}

/// Where a policy applies.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ShownConditions {
    /// In these projects; null is in all.
    project_ids: Option<Vec<i64>>,
    /// With these work items; null is with all.
    work_item_ids: Option<Vec<i64>>,
    /// With these runs; null is with all.
    run_ids: Option<Vec<i64>>,
}

/// What somebody may do.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ShownPolicy {
    /// With what.
    resource: String,
    /// What.
    actions: Vec<String>,
    /// Where.
    conditions: ShownConditions,
}

impl From<Policy> for ShownPolicy {
    fn from(policy: Policy) -> Self {
        let Conditions { project_ids, work_item_ids, run_ids, held: _ } = policy.conditions;
        Self {
            resource: policy.resource.as_str().to_owned(),
            actions: policy.actions.into_iter().map(|action| action.as_str().to_owned()).collect(),
            conditions: ShownConditions {
                project_ids: project_ids.map(|ids| ids.into_iter().map(|id| id.0).collect()),
                work_item_ids: work_item_ids.map(|ids| ids.into_iter().map(|id| id.0).collect()),
                run_ids: run_ids.map(|ids| ids.into_iter().map(|id| id.0).collect()),
            },
        }
    }
}

/// A token, without what is shown.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Token {
    /// Its id.
    id: i64,
    /// What it is called in the audit.
    principal: String,
    /// Its name.
    name: String,
    /// Who shows it.
    kind: TokenKind,
    /// As what they are let in; null where the policies alone count.
    role: Option<Role>,
    /// The projects in which the role counts; null is in all.
    project_ids: Option<Vec<i64>>,
    /// What they may do beyond the role.
    policies: Vec<ShownPolicy>,
    /// The roles that approvals may ask for.
    approval_roles: Vec<String>,
    /// What it is worth.
    status: TokenStatus,
    /// Who made it.
    made_by: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// From when on it is worth nothing.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// When it was revoked.
    #[schema(value_type = Option<String>, format = DateTime)]
    revoked_at: Option<Timestamp>,
}

impl Token {
    /// Shows a token as it is at a moment.
    pub(crate) fn new(token: token::Token, now: Timestamp) -> Self {
        Self {
            id: token.id.0,
            principal: token.principal(),
            status: token.status(now).into(),
            name: token.name,
            kind: token.kind.into(),
            role: token.role.map(Into::into),
            project_ids: token.project_ids.map(|ids| ids.into_iter().map(|id| id.0).collect()),
            policies: token.policies.into_iter().map(Into::into).collect(),
            approval_roles: token.approval_roles.into_iter().collect(),
            made_by: token.made_by,
            created_at: token.created_at,
            expires_at: token.expires_at,
            revoked_at: token.revoked_at,
        }
    }
}

/// A token that was made, with what is shown: this once.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MadeToken {
    /// What is sent as `Authorization: Bearer`. It is kept nowhere; null where the request only repeats an earlier one.
    pub(crate) token: Option<String>,
    /// The token.
    #[serde(flatten)]
    pub(crate) shown: Token,
}

/// What a caller is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CallerKind {
    /// Everybody, where everybody is let in.
    Anyone,
    /// The administrator of the data folder.
    Administrator,
    /// Somebody with a token of their own.
    User,
    /// A worker.
    Worker,
    /// The agent of a run.
    Run,
}

/// Who calls.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Whoami {
    /// What they are called in the audit.
    pub(crate) principal: String,
    /// What they are.
    pub(crate) kind: CallerKind,
    /// Their token.
    pub(crate) token: Option<Token>,
    /// The run whose agent they are.
    pub(crate) run_id: Option<i64>,
}

/// A wish for the token of a run.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RunTokenBody {
    /// The token of the live lease.
    #[schema(inline)]
    pub(crate) fencing_token: super::number::Ordinal,
}

impl Body for RunTokenBody {}

/// What the agent of a run shows.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RunToken {
    /// What is sent as `Authorization: Bearer`, such as from `ORCH_RUN_TOKEN`. It opens as long as the lease lasts.
    pub(crate) token: String,
    /// The run.
    pub(crate) run_id: i64,
    /// When the lease ends unless it is extended, and the token with it.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) expires_at: Timestamp,
}
