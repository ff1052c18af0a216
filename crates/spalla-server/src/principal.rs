//! Who sent a request: looked up anew for each, so that nothing outlives a revocation.

use crate::auth::{Client, Shown};
use crate::problem::Problem;
use crate::state::Shared;
use spalla_domain::access::token::{self, Kind, Status, Token};
use spalla_domain::access::{Action, Policy, Projects, Resource, projects, role};
use spalla_domain::{Fence, ProjectId, RunId, WorkerId};
use spalla_store::view::RunView;
use std::net::IpAddr;
use std::sync::Arc;

/// Who sent a request; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) enum Caller {
    /// Somebody without a token that opens.
    Anonymous,
    /// The administrator, and everybody where everybody is let in.
    Administrator,
    /// Somebody with a token of their own.
    Known(Arc<Principal>),
}

/// Somebody with a token of their own.
#[derive(Debug)]
pub(crate) struct Principal {
    /// What they are called in the audit.
    pub(crate) name: String,
    /// What they may do.
    pub(crate) policies: Vec<Policy>,
    /// What they are.
    pub(crate) kind: Who,
}

/// What somebody with a token is.
#[derive(Debug)]
pub(crate) enum Who {
    /// A person or a program.
    User(Token),
    /// A worker; the names of its processes begin with what comes last.
    Worker(Token, String),
    /// The agent of a run, under the lease with this token.
    Agent(ProjectId, RunId, Fence),
}

impl Caller {
    /// Returns what the caller is called in the audit. Where everybody is let in, nobody has a name.
    pub(crate) fn name(&self, is_open: bool) -> &str {
        match self {
            Self::Administrator if !is_open => "administrator",
            Self::Administrator | Self::Anonymous => "anyone",
            Self::Known(principal) => &principal.name,
        }
    }

    /// Tells with whom a request counts. Where everybody is let in, nobody is known but by address.
    pub(crate) fn client(&self, is_open: bool, from: IpAddr) -> Client {
        match self {
            Self::Administrator if !is_open => Client::Administrator,
            Self::Administrator | Self::Anonymous => Client::Address(from),
            Self::Known(principal) => match &principal.kind {
                Who::User(token) | Who::Worker(token, _) => Client::Token(token.id),
                Who::Agent(_, run, _) => Client::Run(*run),
            },
        }
    }

    /// Returns the session of whoever signed in.
    pub(crate) fn session(&self) -> Option<&Token> {
        match &self.known()?.kind {
            Who::User(token) => Some(token).filter(|token| token.subject.is_some()),
            Who::Worker(..) | Who::Agent(..) => None,
        }
    }

    /// Returns who has a token of their own.
    pub(crate) const fn known(&self) -> Option<&Arc<Principal>> {
        match self {
            Self::Known(principal) => Some(principal),
            Self::Anonymous | Self::Administrator => None,
        }
    }

    /// Tells whether the caller sees this of all projects.
    pub(crate) fn sees_all(&self, resource: Resource) -> bool {
        match self {
            Self::Anonymous => false,
            Self::Administrator => true,
            Self::Known(who) => projects(&who.policies, resource, Action::Read) == Some(Projects::All),
        }
    }
}

impl Principal {
    fn of_token(token: Token) -> Self {
        let (name, policies) = (token.principal(), token.policies());
        let kind = match token.kind {
            Kind::User => Who::User(token),
            Kind::Worker => {
                // Names may repeat, and whoever made one is not to speak for the workers of another.
                let family = format!("{}.{}/", token.name, token.id);
                Who::Worker(token, family)
            }
        };
        Self { name, policies, kind }
    }

    fn of_agent(run: &RunView, fence: Fence) -> Self {
        Self {
            name: format!("run:{}#{fence}", run.id),
            policies: role::of_run(run.project_id, run.id),
            kind: Who::Agent(run.project_id, run.id, fence),
        }
    }

    /// Returns the roles that approvals may ask for.
    pub(crate) fn approval_roles(&self) -> Vec<String> {
        match &self.kind {
            Who::User(token) => token.approval_roles.iter().cloned().collect(),
            Who::Worker(..) | Who::Agent(..) => vec![],
        }
    }

    /// Tells whether a run is held, or was held last, by a worker of the caller's.
    pub(crate) fn holds(&self, run: &RunView) -> bool {
        let Who::Worker(_, family) = &self.kind else { return false };
        let worker = run.lease.as_ref().map(|lease| &lease.worker).or(run.worker.as_ref());
        worker.is_some_and(|worker| worker.as_str().starts_with(family.as_str()))
    }

    /// Returns the id under which a worker of the caller's is known, whatever it calls itself: nobody speaks for the
    /// worker of another token.
    pub(crate) fn bound(&self, worker: WorkerId) -> Result<WorkerId, Problem> {
        let Who::Worker(_, family) = &self.kind else { return Ok(worker) };
        if worker.as_str().starts_with(family.as_str()) {
            return Ok(worker);
        }
        let bound = WorkerId::new(format!("{family}{worker}"));
        bound.map_err(|why| Problem::invalid("worker_id", format!("behind {family:?}: {why}")))
    }
}

impl Shared {
    /// Tells whose it is what a request shows. Where the store can't say, nobody is let in, and it is not asked by whoever
    /// shows one wrong token after another.
    pub(crate) async fn authenticate(&self, shown: Shown<'_>, from: IpAddr) -> Result<Caller, Problem> {
        let (given, is_session) = match shown {
            Shown::Nothing => return Ok(Caller::Anonymous),
            Shown::Administrator => return Ok(Caller::Administrator),
            Shown::Other(given) => (given, false),
            Shown::Session(given) => (given, true),
        };
        let run = if is_session { None } else { self.vault.run_of(given) };
        if run.is_none() && token::parse(given).is_none() {
            return Ok(Caller::Anonymous);
        }
        let leave =
            self.strangers.admit(given, from, self.now()).await.inspect_err(|_| self.meters.limited())?;
        let principal = match run {
            Some((run, fence)) => self.agent_of(run, fence).await?,
            None if is_session => self.whose(given, |token| self.is_session(token)).await?,
            None => self.whose(given, |token| token.subject.is_none()).await?,
        };
        Ok(match principal {
            Some(principal) => {
                leave.opened();
                Caller::Known(Arc::new(principal))
            }
            None => {
                leave.opened_nothing(self.now());
                Caller::Anonymous
            }
        })
    }

    /// Subjects of another issuer are other people.
    fn is_session(&self, token: &Token) -> bool {
        let issuer = self.oidc.as_ref().map(|oidc| oidc.issuer.as_str());
        token.subject.is_some() && issuer == Some(token.made_by.as_str())
    }

    /// Returns whose token it is, if it is one that may be shown so.
    async fn whose(
        &self,
        given: &str,
        may_be_shown: impl Fn(&Token) -> bool,
    ) -> Result<Option<Principal>, Problem> {
        let Some((id, secret)) = token::parse(given) else { return Ok(None) };
        let token: Option<Token> = self.kept(id.0).await?;
        let opens = |token: &Token| {
            // Both are looked at whatever the first says.
            token.secret_hash.is_of(secret) & (token.status(self.now()) == Status::Active)
        };
        Ok(token.filter(opens).filter(may_be_shown).map(Principal::of_token))
    }

    /// The token of a run is worth something as long as the lease under which it was given.
    async fn agent_of(&self, run: RunId, fence: Fence) -> Result<Option<Principal>, Problem> {
        let run = self.read().run(run).await?;
        let is_held = |run: &RunView| {
            let lease = run.lease.as_ref().filter(|lease| !lease.is_expired(self.now()));
            lease.is_some() && run.fence == Some(fence)
        };
        Ok(run.filter(is_held).map(|run| Principal::of_agent(&run, fence)))
    }

    /// Tells whether somebody who was let in would still be.
    pub(crate) async fn is_still_let_in(&self, caller: &Caller) -> Result<bool, Problem> {
        let Some(principal) = caller.known() else { return Ok(true) };
        match &principal.kind {
            Who::User(token) | Who::Worker(token, _) => {
                let token: Option<Token> = self.kept(token.id.0).await?;
                Ok(token.is_some_and(|token| token.status(self.now()) == Status::Active))
            }
            Who::Agent(_, run, fence) => Ok(self.agent_of(*run, *fence).await?.is_some()),
        }
    }
}
