//! A run: one attempt to execute a work item. Its life is one total match over (state, command).

use crate::event::Fact;
use crate::lease::Lease;
#[cfg(debug_assertions)]
use crate::plant::{self, Plant};
use crate::problem::Code;
use crate::retry::ErrorClass;
use crate::{Fence, Refusal, RunId, Timestamp, WorkerId};
use serde::{Deserialize, Serialize};

/// How often a run may be taken over from a holder that vanished before it is lost.
pub const TAKEOVERS_MAX_DEFAULT: u32 = 3;

/// The state of a run, as clients see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Nobody holds it: the next claim takes it, or a person completes it.
    Pending,
    /// A worker holds it.
    Running,
    /// A worker holds it, and a person asked it to stand still.
    Paused,
    /// A worker holds it, and waits for a person's answer.
    #[serde(rename = "awaiting_input")]
    AwaitingInput,
    /// It ended well.
    Succeeded,
    /// It failed.
    Failed,
    /// A person stopped it.
    Cancelled,
    /// Its holders vanished too many times.
    Lost,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 8] = [
        Self::Pending,
        Self::Running,
        Self::Paused,
        Self::AwaitingInput,
        Self::Succeeded,
        Self::Failed,
        Self::Cancelled,
        Self::Lost,
    ];

    /// Returns the name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::AwaitingInput => "awaiting_input",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Lost => "lost",
        }
    }

    /// Reads the name back.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == name)
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Well.
    Succeeded,
    /// Badly.
    Failed(ErrorClass),
    /// Stopped by a person.
    Cancelled,
    /// Given up.
    Lost,
}

impl Outcome {
    /// Returns the state of a run that ended so.
    pub const fn status(self) -> Status {
        match self {
            Self::Succeeded => Status::Succeeded,
            Self::Failed(_) => Status::Failed,
            Self::Cancelled => Status::Cancelled,
            Self::Lost => Status::Lost,
        }
    }
}

/// A run that is not over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveRun {
    /// Its id.
    pub id: RunId,
    /// Who holds it; none means it can be claimed.
    pub lease: Option<Lease>,
    /// How often it was taken over from a holder that vanished.
    pub takeovers: u32,
    /// Approvals that forbid its start.
    pub holds: u32,
    /// Info requests of it that nobody has answered.
    pub questions: u32,
    /// Whether a person asked it to stand still.
    pub paused: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was first claimed.
    pub started_at: Option<Timestamp>,
}

/// What may happen to a run that is not over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// A worker wants it.
    Claim {
        /// The worker.
        worker: WorkerId,
        /// How long the lease lasts, in milliseconds.
        ttl_ms: i64,
    },
    /// A worker is still at it.
    Heartbeat {
        /// The worker.
        worker: WorkerId,
        /// The token it holds.
        fence: Fence,
        /// How long the lease lasts from now, in milliseconds.
        ttl_ms: i64,
    },
    /// It ended.
    Complete {
        /// The token of who says so; none is a person.
        fence: Option<Fence>,
        /// How it ended.
        outcome: Outcome,
    },
    /// A worker gives it back.
    HandBack {
        /// The token it holds.
        fence: Fence,
    },
    /// A person stops it.
    Cancel,
    /// A person wants it to stand still.
    Pause,
    /// A person wants it to go on.
    Resume,
    /// Its holder asks a person something.
    Ask {
        /// The token it holds.
        fence: Fence,
    },
    /// A question of it was answered, or withdrawn.
    Answered,
    /// The clock looks whether the holder's time is over.
    Expire {
        /// How many takeovers are allowed.
        takeovers_max: u32,
    },
}

/// What became of the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// It goes on.
    Live(LiveRun),
    /// It is over.
    Ended(Outcome),
}

/// The answer to a command: the next state, the token in force, and the facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What became of the run.
    pub next: Next,
    /// The newest token of the item.
    pub fence: Fence,
    /// What happened, in order.
    pub facts: Vec<Fact>,
}

/// Who holds a run, seen at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held {
    /// Nobody has ever claimed it.
    Never,
    /// It was claimed once, and nobody holds it now.
    Dropped,
    /// The lease is in force.
    Live,
    /// The lease is over and nobody has noticed.
    Overdue,
}

impl LiveRun {
    /// Makes a run that nobody holds.
    pub fn new(id: RunId, now: Timestamp) -> Self {
        Self {
            id,
            lease: None,
            takeovers: 0,
            holds: 0,
            questions: 0,
            paused: false,
            created_at: now,
            started_at: None,
        }
    }

    /// Returns the state as clients see it.
    pub fn status(&self) -> Status {
        match self {
            Self { lease: None, paused: true, .. } => Status::Paused,
            Self { lease: None, .. } => Status::Pending,
            Self { questions: 1.., .. } => Status::AwaitingInput,
            Self { paused: true, .. } => Status::Paused,
            _ => Status::Running,
        }
    }

    fn held(&self, now: Timestamp) -> Held {
        match (&self.lease, self.started_at) {
            (Some(lease), _) if lease.is_expired(now) => Held::Overdue,
            (Some(_), _) => Held::Live,
            (None, Some(_)) => Held::Dropped,
            #[cfg(debug_assertions)]
            (None, None) if plant::is(Plant::HandedBackResumed) => Held::Dropped,
            (None, None) => Held::Never,
        }
    }
}

/// Applies a command to a run that is not over. `fence` is the newest token of the work item.
pub fn transition(
    run: &LiveRun,
    attempt: u32,
    fence: Fence,
    command: Command,
    now: Timestamp,
) -> Result<Step, Refusal> {
    use Command as C;
    match (run.held(now), command) {
        (Held::Never | Held::Dropped | Held::Overdue, C::Claim { worker, ttl_ms }) => {
            claim(run, attempt, fence, worker, ttl_ms, now)
        }
        (Held::Live, C::Claim { .. }) => Err(lease_held(run)),
        (Held::Never, C::Heartbeat { .. } | C::HandBack { .. } | C::Complete { fence: Some(_), .. }) => {
            Err(Refusal::new(
                Code::StaleToken,
                format!("run {} has not been claimed, so no token of it exists", run.id),
            )
            .mend("claim the run first"))
        }
        (Held::Dropped | Held::Live | Held::Overdue, C::Heartbeat { worker, fence: token, ttl_ms }) => {
            #[cfg(debug_assertions)]
            let token = if plant::is(Plant::UnfencedHeartbeat) { fence } else { token };
            check_token(run, fence, token)?;
            let resumed = run.lease.is_none().then(|| Fact::LeaseResumed { worker: worker.clone(), fence });
            let lease = Some(Lease::new(worker, ttl_ms, now));
            let facts = resumed.into_iter().collect();
            Ok(Step { next: Next::Live(LiveRun { lease, ..run.clone() }), fence, facts })
        }
        (Held::Dropped | Held::Live | Held::Overdue, C::HandBack { fence: token }) => {
            #[cfg(debug_assertions)]
            let token = if plant::is(Plant::UnfencedHandBack) { fence } else { token };
            check_token(run, fence, token)?;
            // A run given back in good order starts afresh: whoever takes it next is no takeover.
            let next = LiveRun { lease: None, started_at: None, ..run.clone() };
            Ok(Step { next: Next::Live(next), fence, facts: vec![Fact::RunHandedBack { fence }] })
        }
        (Held::Dropped | Held::Live | Held::Overdue, C::Complete { fence: Some(token), outcome }) => {
            #[cfg(debug_assertions)]
            let token = if plant::is(Plant::UnfencedCompletion) { fence } else { token };
            check_token(run, fence, token)?;
            Ok(ended(run, fence, Some(token), outcome))
        }
        #[cfg(debug_assertions)]
        (Held::Live, C::Complete { fence: None, outcome }) if plant::is(Plant::HeldRunCompleted) => {
            Ok(ended(run, fence, None, outcome))
        }
        (Held::Live, C::Complete { fence: None, .. }) => {
            Err(lease_held(run).mend("send the fencing_token, or cancel the run first"))
        }
        (Held::Never | Held::Dropped | Held::Overdue, C::Complete { fence: None, outcome }) => {
            check_holds(run)?;
            let mut step = ended(run, fence, None, outcome);
            step.facts.splice(0..0, expired(run, fence));
            Ok(step)
        }
        (Held::Never | Held::Dropped | Held::Live | Held::Overdue, C::Cancel) => {
            Ok(ended(run, fence, None, Outcome::Cancelled))
        }
        (Held::Never | Held::Dropped, C::Pause) => {
            let detail = format!("run {} is not running: nobody holds it", run.id);
            Err(Refusal::new(Code::RunNotHeld, detail).mend("pause it once a worker has it, or cancel it"))
        }
        (Held::Live | Held::Overdue, C::Pause) => Ok(kept(run, fence, |next| next.paused = true)),
        (Held::Never | Held::Dropped | Held::Live | Held::Overdue, C::Resume) => {
            Ok(kept(run, fence, |next| next.paused = false))
        }
        (Held::Never | Held::Dropped, C::Ask { .. }) => {
            let detail = format!("run {} is held by nobody, so nobody asks for it", run.id);
            Err(Refusal::new(Code::StaleToken, detail).mend("claim the run first"))
        }
        (Held::Live | Held::Overdue, C::Ask { fence: token }) => {
            check_token(run, fence, token)?;
            Ok(kept(run, fence, |next| next.questions += 1))
        }
        (Held::Never | Held::Dropped | Held::Live | Held::Overdue, C::Answered) => {
            Ok(kept(run, fence, |next| next.questions = next.questions.saturating_sub(1)))
        }
        (Held::Never | Held::Dropped | Held::Live, C::Expire { .. }) => {
            Ok(Step { next: Next::Live(run.clone()), fence, facts: vec![] })
        }
        (Held::Overdue, C::Expire { takeovers_max }) => Ok(expire(run, fence, takeovers_max)),
    }
}

fn claim(
    run: &LiveRun,
    attempt: u32,
    fence: Fence,
    worker: WorkerId,
    ttl_ms: i64,
    now: Timestamp,
) -> Result<Step, Refusal> {
    check_holds(run)?;
    check_not_paused(run)?;
    let mut facts: Vec<Fact> = expired(run, fence).into_iter().collect();
    #[cfg(debug_assertions)]
    let fence =
        if plant::is(Plant::TokenKept) && run.started_at.is_some() { Fence(fence.0 - 1) } else { fence };
    let fence = fence.next();
    let takeovers = run.takeovers + u32::from(run.started_at.is_some());
    facts.push(Fact::RunClaimed { attempt, worker: worker.clone(), fence, takeovers });
    let next = LiveRun {
        lease: Some(Lease::new(worker, ttl_ms, now)),
        takeovers,
        started_at: run.started_at.or(Some(now)),
        ..run.clone()
    };
    Ok(Step { next: Next::Live(next), fence, facts })
}

/// The same run under the same holder, with a change that pauses, asks or answers; told where it changed anything.
fn kept(run: &LiveRun, fence: Fence, change: impl FnOnce(&mut LiveRun)) -> Step {
    let mut next = run.clone();
    change(&mut next);
    let facts = match (run.paused, next.paused) {
        (false, true) => vec![Fact::RunPaused {}],
        (true, false) => vec![Fact::RunResumed {}],
        _ => vec![],
    };
    Step { next: Next::Live(next), fence, facts }
}

/// Tells of a lease that is over, so that no holder leaves without a trace.
fn expired(run: &LiveRun, fence: Fence) -> Option<Fact> {
    run.lease.as_ref().map(|lease| Fact::LeaseExpired { worker: lease.worker.clone(), fence })
}

fn expire(run: &LiveRun, fence: Fence, takeovers_max: u32) -> Step {
    let expired = expired(run, fence);
    #[cfg(debug_assertions)]
    let takeovers_max = takeovers_max + u32::from(plant::is(Plant::TakeoversOffByOne));
    if run.takeovers >= takeovers_max {
        let mut step = ended(run, fence, None, Outcome::Lost);
        step.facts.splice(0..0, expired);
        return step;
    }
    let next = LiveRun { lease: None, ..run.clone() };
    Step { next: Next::Live(next), fence, facts: expired.into_iter().collect() }
}

fn ended(run: &LiveRun, fence: Fence, token: Option<Fence>, outcome: Outcome) -> Step {
    let fact = match outcome {
        Outcome::Succeeded => Fact::RunSucceeded { fence: token },
        Outcome::Failed(class) => Fact::RunFailed { fence: token, class },
        Outcome::Cancelled => Fact::RunCancelled {},
        Outcome::Lost => Fact::RunLost { takeovers: run.takeovers },
    };
    Step { next: Next::Ended(outcome), fence, facts: vec![fact] }
}

fn check_token(run: &LiveRun, newest: Fence, token: Fence) -> Result<(), Refusal> {
    if token == newest { Ok(()) } else { Err(stale(run.id, token)) }
}

/// Says that a token is not the newest.
pub fn stale(run: RunId, token: Fence) -> Refusal {
    Refusal::new(
        Code::StaleToken,
        format!("fencing token {token} of run {run} is not the newest: the lease was lost"),
    )
    .mend("stop working on this run; somebody else owns it")
}

/// Refuses a write about a run, such as log lines, unless it bears the newest token of a lease of this very run.
pub fn may_write(run: &LiveRun, newest: Fence, token: Fence) -> Result<(), Refusal> {
    #[cfg(debug_assertions)]
    if plant::is(Plant::UnfencedLogs) {
        return Ok(());
    }
    #[cfg(debug_assertions)]
    if plant::is(Plant::HandedBackLogged) {
        return check_token(run, newest, token);
    }
    match run.started_at {
        Some(_) => check_token(run, newest, token),
        None => Err(stale(run.id, token)),
    }
}

/// Refuses a person's write about a run while a worker holds it.
pub fn is_nobodys(run: &LiveRun, now: Timestamp) -> Result<(), Refusal> {
    match run.held(now) {
        Held::Live => Err(lease_held(run).mend("send the fencing_token, or wait until the run is over")),
        Held::Never | Held::Dropped | Held::Overdue => Ok(()),
    }
}

fn check_holds(run: &LiveRun) -> Result<(), Refusal> {
    if run.holds == 0 {
        return Ok(());
    }
    Err(Refusal::new(Code::ApprovalPending, format!("run {} waits for an approval of its work item", run.id))
        .mend("approve it first; where it was rejected, cancel the run"))
}

/// A run that stands still is given to nobody.
fn check_not_paused(run: &LiveRun) -> Result<(), Refusal> {
    if !run.paused {
        return Ok(());
    }
    Err(Refusal::new(Code::RunPaused, format!("run {} is paused", run.id)).mend("resume it first"))
}

fn lease_held(run: &LiveRun) -> Refusal {
    let holder = run.lease.as_ref().map(|l| format!("{} until {}", l.worker, l.until)).unwrap_or_default();
    Refusal::new(Code::LeaseHeld, format!("run {} is held by {holder}", run.id))
        .mend("wait until the lease ends")
}

#[cfg(test)]
mod tests;
