//! The queue: where a work item stands, in which order items start, and what may move one. A place changes by one
//! total match over (place, command); what a run goes through while it is live is `run`'s.

pub mod critical_path;
pub mod edge;
pub mod fair_share;
pub mod priority;
pub mod rank;

use crate::event::Fact;
use crate::lease::Lease;
#[cfg(debug_assertions)]
use crate::plant::{self, Plant};
use crate::problem::Code;
use crate::retry::{ErrorClass, RetryPolicy};
use crate::run::{LiveRun, Outcome};
use crate::work_item::Status;
use crate::{EntryId, Fence, Refusal, RunId, Timestamp, WorkItemId, WorkerId};
use priority::Moved;
use serde::{Deserialize, Serialize};

/// The fixed part of a queue entry. A work item has at most one, reused when it is requeued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its id, as clients see it.
    pub id: EntryId,
    /// What waits.
    pub work_item_id: WorkItemId,
    /// 0 to 9, 9 is the most urgent: what orders it.
    pub priority: u8,
    /// What a person set, and what else its moves are reckoned from; none while it is just that and nothing moved it.
    pub moved: Option<Moved>,
    /// How many dependencies the item had when it was enqueued.
    pub dependencies: u32,
    /// When it was enqueued; age counts from here.
    pub enqueued_at: Timestamp,
}

/// What a work item carries from place to place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The ordering key: smallest first. See [`rank`].
    pub prio: i64,
    /// The newest fencing token.
    pub fence: Fence,
    /// How many runs it has had.
    pub attempt: u32,
    /// How many of them failed since it was enqueued or requeued.
    pub failures: u32,
}

/// What keeps a work item from starting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Holds {
    /// Dependencies that are not met.
    pub unmet: u32,
    /// Why one of them can't be met any more.
    pub broken: Option<Broken>,
    /// Approvals nobody has decided.
    pub pending: u32,
    /// Approvals that were refused.
    pub rejected: u32,
    /// Not before this moment.
    pub due_at: Option<Timestamp>,
}

/// A dependency that can't be met any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Broken {
    /// Why: `dependency_failed`, `dependency_cancelled` or `dependency_succeeded`.
    pub reason: Code,
    /// The dependency.
    pub by: WorkItemId,
}

impl Holds {
    /// Returns how many approvals hold the item.
    pub const fn approvals(&self) -> u32 {
        self.pending + self.rejected
    }

    /// Returns why the item does not start; none means that only its time may be missing.
    pub fn reason(&self) -> Option<Code> {
        match self {
            Self { broken: Some(broken), .. } => Some(broken.reason),
            Self { rejected: 1.., .. } => Some(Code::ApprovalRejected),
            Self { unmet: 1.., .. } => Some(Code::DependenciesUnmet),
            Self { pending: 1.., .. } => Some(Code::ApprovalPending),
            _ => None,
        }
    }
}

/// Where a work item stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Not in the queue.
    Open,
    /// Something holds it.
    Blocked(Holds),
    /// Only its time is missing.
    Delayed {
        /// Not before this moment.
        due_at: Timestamp,
    },
    /// Nothing is missing.
    Ready,
    /// A run of it is not over.
    Leased(LiveRun),
    /// It came to its end.
    Finished(Finished),
}

/// The end of a work item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finished {
    /// How it ended: succeeded, failed or cancelled.
    pub status: Status,
    /// When.
    pub at: Timestamp,
}

impl Place {
    /// Returns the state of the work item, as clients see it.
    pub fn status(&self) -> Status {
        match self {
            Self::Open => Status::Open,
            Self::Blocked(Holds { broken: Some(_), .. }) => Status::Blocked,
            Self::Blocked(_) | Self::Delayed { .. } | Self::Ready => Status::Queued,
            Self::Leased(_) => Status::Running,
            Self::Finished(finished) => finished.status,
        }
    }
}

/// What may move a work item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// A client wants it done; a further wish joins the first.
    Enqueue(Holds),
    /// What holds it changed.
    Rehold(Holds),
    /// The clock looks whether its time has come.
    Due,
    /// It gets a run that nobody holds yet.
    Start {
        /// The new run.
        run_id: RunId,
    },
    /// A worker takes it.
    Claim {
        /// The new run.
        run_id: RunId,
        /// The worker.
        worker: WorkerId,
        /// How long the lease lasts, in milliseconds.
        ttl_ms: i64,
    },
    /// Its run ended.
    End {
        /// How.
        outcome: Outcome,
        /// How failures are retried.
        policy: RetryPolicy,
        /// The moment before which trying again would meet the same limit, where a service said one: waiting for it
        /// is no retry that is spent.
        not_before: Option<Timestamp>,
        /// A number from −1 to 1 that moves the delay.
        jitter: Jitter,
    },
    /// A person wants it done again, or now, or later.
    Requeue(Holds),
    /// A person stops it before it has a run.
    Cancel,
}

/// The jitter of a retry, in millionths from −1 to 1: an integer, so that commands can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Jitter(pub i32);

impl Jitter {
    /// Returns the number from −1 to 1.
    pub fn get(self) -> f64 {
        f64::from(self.0) / 1e6
    }
}

/// The answer to a command: the next place and standing, and the facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Where the item stands now.
    pub place: Place,
    /// What it carries now; the ordering key is the caller's to renew.
    pub standing: Standing,
    /// What happened, in order.
    pub facts: Vec<Fact>,
}

/// Applies a command to a work item's place.
pub fn transition(
    place: &Place,
    standing: Standing,
    command: Command,
    now: Timestamp,
) -> Result<Step, Refusal> {
    use Command as C;
    use Place as P;
    match (place, command) {
        (P::Open | P::Blocked(_) | P::Delayed { .. } | P::Ready, C::Enqueue(holds)) => {
            let queued = Fact::WorkItemQueued {
                unmet: holds.unmet,
                approvals: holds.approvals(),
                due_at: holds.due_at,
            };
            Ok(settle(place, holds, standing, vec![queued], now))
        }
        #[cfg(debug_assertions)]
        (P::Leased(_), C::Requeue(holds)) if plant::is(Plant::LiveRunRequeued) => {
            Ok(settle(place, holds, standing, vec![Fact::WorkItemRequeued { due_at: holds.due_at }], now))
        }
        (P::Leased(run), C::Enqueue(_) | C::Requeue(_) | C::Start { .. } | C::Claim { .. } | C::Cancel) => {
            Err(run_active(run))
        }
        (P::Finished(end), C::Enqueue(_) | C::Start { .. } | C::Claim { .. } | C::Cancel) => {
            Err(finished(*end))
        }

        (P::Blocked(_) | P::Delayed { .. } | P::Ready, C::Rehold(holds)) => {
            Ok(settle(place, holds, standing, vec![], now))
        }
        (P::Leased(run), C::Rehold(holds)) => {
            let run = LiveRun { holds: holds.approvals(), ..run.clone() };
            Ok(Step { place: P::Leased(run), standing, facts: vec![] })
        }
        (P::Open | P::Finished(_), C::Rehold(_)) => Ok(unchanged(place, standing)),

        (P::Delayed { due_at }, C::Due) if *due_at <= now => {
            Ok(Step { place: P::Ready, standing, facts: vec![Fact::WorkItemReady {}] })
        }
        (P::Open | P::Blocked(_) | P::Delayed { .. } | P::Ready | P::Leased(_) | P::Finished(_), C::Due) => {
            Ok(unchanged(place, standing))
        }

        (P::Ready, C::Start { run_id }) => {
            let attempt = standing.attempt + 1;
            let run = LiveRun::new(run_id, now);
            let facts = vec![Fact::RunCreated { attempt }];
            Ok(Step { place: P::Leased(run), standing: Standing { attempt, ..standing }, facts })
        }
        (P::Ready, C::Claim { run_id, worker, ttl_ms }) => Ok(claim(standing, run_id, worker, ttl_ms, now)),
        (P::Open, C::Start { .. } | C::Claim { .. }) => {
            Err(Refusal::new(Code::NotQueued, "the work item is not in the queue").mend("enqueue it first"))
        }
        (P::Blocked(holds), C::Start { .. } | C::Claim { .. }) => Err(held(holds)),
        (P::Delayed { due_at }, C::Start { .. } | C::Claim { .. }) => Err(delayed(*due_at)),

        (P::Leased(_), C::End { outcome, policy, not_before, jitter }) => {
            Ok(end(standing, outcome, policy, (not_before, jitter.get()), now))
        }
        (P::Open | P::Blocked(_) | P::Delayed { .. } | P::Ready | P::Finished(_), C::End { .. }) => {
            Err(Refusal::new(Code::RunEnded, "the work item has no run that is not over"))
        }

        (P::Open | P::Blocked(_) | P::Delayed { .. } | P::Ready | P::Finished(_), C::Requeue(holds)) => {
            let standing = Standing { failures: 0, ..standing };
            Ok(settle(place, holds, standing, vec![Fact::WorkItemRequeued { due_at: holds.due_at }], now))
        }

        (P::Open | P::Blocked(_) | P::Delayed { .. } | P::Ready, C::Cancel) => {
            Ok(finish(standing, Status::Cancelled, vec![], now))
        }
    }
}

/// Puts an item where its holds say, and tells what changed.
fn settle(before: &Place, holds: Holds, standing: Standing, mut facts: Vec<Fact>, now: Timestamp) -> Step {
    #[cfg(debug_assertions)]
    let holds = if plant::is(Plant::DelayForgotten) { Holds { due_at: None, ..holds } } else { holds };
    let place = match holds {
        Holds { unmet: 0, pending: 0, rejected: 0, due_at: Some(due_at), .. } if due_at > now => {
            Place::Delayed { due_at }
        }
        Holds { unmet: 0, pending: 0, rejected: 0, .. } => Place::Ready,
        _ => Place::Blocked(holds),
    };
    let broken = |place: &Place| match place {
        Place::Blocked(holds) => holds.broken,
        _ => None,
    };
    match (broken(before), broken(&place)) {
        (None, Some(b)) => facts.push(Fact::WorkItemBlocked { reason: b.reason, by: b.by }),
        (Some(_), None) => facts.push(Fact::WorkItemUnblocked {}),
        (None, None) | (Some(_), Some(_)) => {}
    }
    if place == Place::Ready && *before != Place::Ready {
        facts.push(Fact::WorkItemReady {});
    }
    Step { place, standing, facts }
}

fn claim(standing: Standing, run_id: RunId, worker: WorkerId, ttl_ms: i64, now: Timestamp) -> Step {
    let (attempt, fence) = (standing.attempt + 1, standing.fence.next());
    let fact = Fact::RunClaimed { attempt, worker: worker.clone(), fence, takeovers: 0 };
    let lease = Some(Lease::new(worker, ttl_ms, now));
    let run = LiveRun { lease, started_at: Some(now), ..LiveRun::new(run_id, now) };
    Step { place: Place::Leased(run), standing: Standing { attempt, fence, ..standing }, facts: vec![fact] }
}

/// The shortest wait for a limit, in milliseconds: a reset that is past already must not be met in a circle.
const PARKED_MS_MIN: i64 = 1_000;
/// The longest wait for a limit, in milliseconds: 31 days, as long as the longest period of a provider.
const PARKED_MS_MAX: i64 = 31 * 86_400_000;

/// Decides what a run's end means for its item: done, tried again, or given up.
fn end(
    standing: Standing,
    outcome: Outcome,
    policy: RetryPolicy,
    (not_before, jitter): (Option<Timestamp>, f64),
    now: Timestamp,
) -> Step {
    let class = match outcome {
        Outcome::Succeeded => {
            return finish(Standing { failures: 0, ..standing }, Status::Succeeded, vec![], now);
        }
        #[cfg(debug_assertions)]
        Outcome::Cancelled if plant::is(Plant::RetryAfterCancel) => ErrorClass::Failed,
        Outcome::Cancelled => return finish(standing, Status::Cancelled, vec![], now),
        Outcome::Failed(class) => class,
        Outcome::Lost => ErrorClass::Lost,
    };
    let failures = standing.failures + 1;
    #[cfg(debug_assertions)]
    let failures = if plant::is(Plant::FailureNotCounted) { standing.failures } else { failures };
    let standing = Standing { failures, ..standing };
    let parked_until = not_before.filter(|_| class == ErrorClass::RateLimited);
    let is_exhausted = parked_until.is_none() && failures > policy.max_retries;
    if !class.is_retryable() || is_exhausted {
        return finish(standing, Status::Failed, vec![], now);
    }
    let due_at = match parked_until {
        Some(at) => at.clamp(now.plus_ms(PARKED_MS_MIN), now.plus_ms(PARKED_MS_MAX)),
        None => now.plus_ms(policy.delay_ms(failures, jitter)),
    };
    let facts = vec![Fact::RetryScheduled { failures, due_at }];
    Step { place: Place::Delayed { due_at }, standing, facts }
}

fn finish(standing: Standing, status: Status, mut facts: Vec<Fact>, now: Timestamp) -> Step {
    facts.push(Fact::WorkItemFinished { status });
    Step { place: Place::Finished(Finished { status, at: now }), standing, facts }
}

fn unchanged(place: &Place, standing: Standing) -> Step {
    Step { place: place.clone(), standing, facts: vec![] }
}

fn run_active(run: &LiveRun) -> Refusal {
    Refusal::new(Code::RunActive, format!("run {} of the work item is not over", run.id))
        .mend("wait until it ends, or cancel it")
}

fn finished(end: Finished) -> Refusal {
    let detail = format!("the work item is over: {} at {}", end.status.as_str(), end.at);
    Refusal::new(Code::WorkItemFinished, detail).mend("requeue it: POST /scheduler/requeue/work-item")
}

fn held(holds: &Holds) -> Refusal {
    let code = holds.reason().unwrap_or(Code::DependenciesUnmet);
    let (detail, mend) = match code {
        Code::ApprovalRejected => {
            ("an approval of the work item was rejected".to_owned(), "it does not start")
        }
        Code::ApprovalPending => match holds.pending {
            1 => ("an approval is pending".to_owned(), "approve it first"),
            n => (format!("{n} approvals are pending"), "approve them first"),
        },
        Code::DependenciesUnmet => match holds.unmet {
            1 => ("a dependency is not met".to_owned(), "wait for it"),
            n => (format!("{n} dependencies are not met"), "wait for them"),
        },
        _ => {
            let by = holds.broken.map(|b| b.by.to_string()).unwrap_or_default();
            (format!("dependency {by} can't be met any more"), "requeue that work item")
        }
    };
    Refusal::new(code, detail).mend(mend)
}

fn delayed(due_at: Timestamp) -> Refusal {
    Refusal::new(Code::Delayed, format!("the work item waits until {due_at}"))
        .mend("requeue it without a delay to start it now")
}

#[cfg(test)]
mod tests;
