//! How far a caller reaches: what they are shown of lists, and among what the things that they name have to be.

use crate::principal::Principal;
use crate::problem::Problem;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use spalla_domain::ProjectId;
use spalla_domain::access::{Action, Decision, Projects, Resource, Target, decide};
use spalla_store::Command;
use spalla_store::command::{IdempotencyKey, Scope};
use spalla_store::view::Page;
use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The largest offset in a list that is put together of several projects: all before it is read.
const OFFSET_MAX: u32 = 10_000;

/// How far a caller reaches; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Reach(Option<Arc<Inner>>);

#[derive(Debug)]
struct Inner {
    principal: Option<Arc<Principal>>,
    scope: Arc<Scope>,
}

/// Which projects a list is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Choice {
    /// All, or the one that was asked for.
    Plain(Option<ProjectId>),
    /// These.
    Among(BTreeSet<ProjectId>),
}

impl Reach {
    /// Reaches everything.
    pub(crate) const fn all() -> Self {
        Self(None)
    }

    /// Reaches nothing.
    pub(crate) fn none() -> Self {
        let projects = Projects::Only(BTreeSet::new());
        let scope = Scope { projects, besides: vec![], run_id: None, holder: None };
        Self(Some(Arc::new(Inner { principal: None, scope: Arc::new(scope) })))
    }

    pub(super) fn of(principal: Arc<Principal>, scope: Scope) -> Self {
        Self(Some(Arc::new(Inner { principal: Some(principal), scope: Arc::new(scope) })))
    }

    /// Returns who calls, where they have a token of their own.
    pub(crate) fn principal(&self) -> Option<&Arc<Principal>> {
        self.0.as_ref().and_then(|inner| inner.principal.as_ref())
    }

    /// Returns among what the things that are named have to be.
    pub(crate) fn scope(&self) -> Option<Arc<Scope>> {
        self.0.as_ref().map(|inner| Arc::clone(&inner.scope))
    }

    /// Returns the projects that are reached; none means all.
    pub(crate) fn projects(&self) -> Option<&BTreeSet<ProjectId>> {
        match &self.0.as_ref()?.scope.projects {
            Projects::All => None,
            Projects::Only(projects) => Some(projects),
        }
    }

    /// Tells whether a project is reached.
    pub(crate) fn has(&self, id: ProjectId) -> bool {
        self.projects().is_none_or(|projects| projects.contains(&id))
    }

    /// Tells whether the caller may read something that a route shows beside what it is about.
    pub(crate) fn may_read(&self, resource: Resource, target: &Target) -> bool {
        let Some(inner) = &self.0 else { return true };
        let policies = inner.principal.as_ref().map(|principal| principal.policies.as_slice());
        decide(policies.unwrap_or_default(), resource, Action::Read, target) == Decision::Allowed
    }

    /// Tells whether the caller may do something everywhere, beside what the route is about.
    pub(crate) fn may(&self, resource: Resource, action: Action) -> bool {
        let Some(inner) = &self.0 else { return true };
        let policies = inner.principal.as_ref().map(|principal| principal.policies.as_slice());
        decide(policies.unwrap_or_default(), resource, action, &Target::default()) == Decision::Allowed
    }

    /// Makes an idempotency key the caller's own: two callers that choose the same one know nothing of each other.
    pub(crate) fn own(&self, key: IdempotencyKey) -> IdempotencyKey {
        match self.principal() {
            Some(principal) => IdempotencyKey { key: format!("{} {}", principal.name, key.key), ..key },
            None => key,
        }
    }

    /// Lets a worker speak for itself alone.
    pub(crate) fn bind(&self, command: &mut Command) -> Result<(), Problem> {
        let Some(principal) = self.principal() else { return Ok(()) };
        let worker = match command {
            Command::Claim(claim) => &mut claim.worker_id,
            Command::Exchange(exchange) => &mut exchange.claim.worker_id,
            Command::ClaimRun { worker, .. }
            | Command::Heartbeat { worker, .. }
            | Command::ReportCommands { worker, .. } => worker,
            _ => return Ok(()),
        };
        *worker = principal.bound(worker.clone())?;
        Ok(())
    }

    /// Returns which projects a list is of.
    pub(crate) fn choose(&self, asked: Option<ProjectId>) -> Choice {
        match (self.projects(), asked) {
            (None, asked) => Choice::Plain(asked),
            (Some(projects), Some(asked)) if projects.contains(&asked) => Choice::Plain(Some(asked)),
            (Some(_), Some(_)) => Choice::Among(BTreeSet::new()),
            (Some(projects), None) if projects.len() == 1 => Choice::Plain(projects.first().copied()),
            (Some(projects), None) => Choice::Among(projects.clone()),
        }
    }

    /// Returns the projects that a list is read of one after another, where none stands for all.
    pub(crate) fn each(&self, asked: Option<ProjectId>) -> Vec<Option<ProjectId>> {
        match self.choose(asked) {
            Choice::Plain(project) => vec![project],
            Choice::Among(projects) => projects.into_iter().map(Some).collect(),
        }
    }

    /// Says how a page of a list is put together that is ordered by its ids, the newest first.
    pub(crate) fn pages(&self, asked: Option<ProjectId>, wanted: Page) -> Result<Pages, Problem> {
        let projects = self.each(asked);
        let of_each = match projects.len() {
            1 => wanted,
            _ if wanted.offset > OFFSET_MAX => {
                let message = format!("over several projects it goes up to {OFFSET_MAX}");
                return Err(Problem::invalid("offset", message).mend("go on with cursor"));
            }
            _ => Page { limit: wanted.limit.saturating_add(wanted.offset), offset: 0, ..wanted },
        };
        Ok(Pages { projects, of_each, wanted })
    }
}

/// How a page is put together of those of several projects.
#[derive(Debug)]
pub(crate) struct Pages {
    /// The projects, where none stands for all.
    pub(crate) projects: Vec<Option<ProjectId>>,
    /// What is read of each.
    pub(crate) of_each: Page,
    wanted: Page,
}

impl Pages {
    /// Puts together what was read.
    pub(crate) fn merged<T>(&self, mut found: Vec<T>, id: impl Fn(&T) -> i64) -> Vec<T> {
        if self.projects.len() == 1 {
            return found;
        }
        found.sort_by_key(|entry| Reverse(id(entry)));
        found.into_iter().skip(self.wanted.offset as usize).take(self.wanted.limit as usize).collect()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Reach {
    type Rejection = Problem;

    /// What no rule was asked about reaches nothing.
    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_else(Self::none))
    }
}
