//! All that can wake the engine's loop.

use spalla_domain::audit::Call;
use spalla_domain::claim::{ClaimRequest, HeartbeatAnswer};
use spalla_store::command::Scope;
use spalla_store::{Command, Committed, ExecuteError, Reply, Request};
use std::sync::Arc;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// What woke the loop.
#[derive(Debug)]
pub(crate) enum Input {
    /// A claimer found nothing and waits.
    Park(Parked),
    /// The store committed something.
    Committed(Committed),
    /// Commits went by unseen.
    Lagged,
    /// A moment came that somebody waits for.
    Time,
    /// The engine is to end.
    Stop,
}

/// A claimer that waits for something to become eligible.
#[derive(Debug)]
pub(crate) struct Parked {
    /// What it wants.
    pub(crate) claim: ClaimRequest,
    /// Within what it may take runs.
    pub(crate) scope: Option<Arc<Scope>>,
    /// Who is named in the audit for what it takes.
    pub(crate) audit: Option<Box<Call>>,
    /// What it is told when nothing comes.
    pub(crate) otherwise: Reply,
    /// Where the answer goes; closed when the claimer went away.
    pub(crate) answer: oneshot::Sender<Result<Reply, ExecuteError>>,
    /// When it stops waiting.
    pub(crate) deadline: Instant,
    /// How many rounds were made before it asked the store itself.
    pub(crate) rounds: u64,
}

impl Parked {
    /// Returns a claimer that waits, if the request is a claim and the answer leaves it something to wait for.
    pub(crate) fn new(
        request: &Request,
        otherwise: Reply,
        answer: oneshot::Sender<Result<Reply, ExecuteError>>,
        deadline: Instant,
        rounds: u64,
    ) -> Option<Self> {
        let claim = claim_of(&request.command)?.clone();
        let (scope, audit) = (request.scope.clone(), request.audit.clone());
        Some(Self { claim, scope, audit, otherwise, answer, deadline, rounds })
    }

    /// Returns the request that asks the store again.
    pub(crate) fn request(&self) -> Request {
        let (scope, audit) = (self.scope.clone(), self.audit.clone());
        Request { scope, audit, ..Command::Claim(self.claim.clone()).into() }
    }

    /// Returns the answer with the runs that came at last.
    pub(crate) fn answer_with(otherwise: Reply, claimed: Reply) -> Reply {
        match (otherwise, claimed) {
            (Reply::Exchanged(mut exchanged), Reply::Claimed(runs)) => {
                exchanged.runs = runs;
                Reply::Exchanged(exchanged)
            }
            (_, claimed) => claimed,
        }
    }
}

fn claim_of(command: &Command) -> Option<&ClaimRequest> {
    match command {
        Command::Claim(claim) => Some(claim),
        Command::Exchange(exchange) => Some(&exchange.claim),
        _ => None,
    }
}

/// Tells whether a claimer that got this answer has reason to wait: it got no run, and nothing it must act on.
pub(crate) fn is_worth_waiting(request: &Request, reply: &Reply) -> bool {
    let wants = claim_of(&request.command).is_some_and(|claim| claim.max > 0);
    let must_act = |answer: &HeartbeatAnswer| answer.cancel || answer.pause;
    wants
        && match reply {
            Reply::Claimed(runs) => runs.is_empty(),
            Reply::Exchanged(reply) => {
                reply.runs.is_empty() && reply.refused.is_empty() && !reply.heartbeats.iter().any(must_act)
            }
            _ => false,
        }
}
