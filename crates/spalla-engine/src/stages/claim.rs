//! Claim: serve the claimers that wait, first come first served, when something may have become eligible.

use crate::input::Parked;
use futures_util::future::join_all;
use spalla_domain::claim::{Assignment, Heartbeat};
use spalla_domain::event::{Event, Fact};
#[cfg(feature = "plant")]
use spalla_domain::plant::{self, Plant};
use spalla_store::{Command, Reply, Store};
use std::collections::VecDeque;
use tokio::time::Instant;

/// How many waiting claimers are asked for at once: they share one transaction, and a lone item wakes no crowd.
const TOGETHER: usize = 16;

/// Tells whether an event may let a claimer find something.
pub(crate) fn may_be_claimable(event: &Event) -> bool {
    #[cfg(feature = "plant")]
    if plant::is(Plant::LostWakeUp) && matches!(event.fact, Fact::WorkItemReady {}) {
        return false;
    }
    matches!(
        event.fact,
        Fact::WorkItemReady {}
            | Fact::RunCreated { .. }
            | Fact::LeaseExpired { .. }
            | Fact::RunHandedBack { .. }
            | Fact::ApprovalDecided { .. }
    )
}

/// Serves claimers until a round finds nothing for anybody.
pub(crate) async fn serve(store: &Store, waiting: &mut VecDeque<Parked>) {
    waiting.retain(|parked| !parked.answer.is_closed());
    let mut asked = 0;
    while asked < waiting.len() {
        let together = TOGETHER.min(waiting.len() - asked);
        let round = waiting.range(asked..asked + together).map(|parked| parked.claim.clone());
        let answers = join_all(round.map(|claim| store.execute(Command::Claim(claim)))).await;
        let mut served = 0;
        for answer in answers {
            match answer {
                Ok(Reply::Claimed(runs)) if runs.is_empty() => asked += 1,
                Ok(claimed) => {
                    served += 1;
                    if let Some(parked) = waiting.remove(asked) {
                        deliver(store, parked, claimed).await;
                    }
                }
                // The store is away; whoever waits goes on waiting, and asks again when it is back.
                Err(error) => {
                    tracing::warn!(%error, "serving a waiting claimer");
                    asked += 1;
                }
            }
        }
        if served == 0 {
            break;
        }
    }
}

/// Gives a claimer its runs; where it went away meanwhile, they go back at once instead of when the lease ends.
async fn deliver(store: &Store, parked: Parked, claimed: Reply) {
    let reply = Parked::answer_with(parked.otherwise, claimed);
    if let Err(Ok(reply)) = parked.answer.send(Ok(reply)) {
        for Assignment { run_id, fencing_token, .. } in runs(reply) {
            let back = Command::HandBack(Heartbeat { run_id, fencing_token });
            if let Err(error) = store.execute(back).await {
                tracing::warn!(%run_id, %error, "handing back a run whose claimer went away");
            }
        }
    }
}

fn runs(reply: Reply) -> Vec<Assignment> {
    match reply {
        Reply::Claimed(runs) => runs,
        Reply::Exchanged(exchanged) => exchanged.runs,
        _ => vec![],
    }
}

/// Answers those whose time to wait is over.
pub(crate) fn give_up(waiting: &mut VecDeque<Parked>, now: Instant) {
    let (over, still): (VecDeque<_>, VecDeque<_>) =
        std::mem::take(waiting).into_iter().partition(|parked| parked.deadline <= now);
    *waiting = still;
    answer_otherwise(over);
}

/// Answers all that wait: the engine ends.
pub(crate) fn give_up_all(waiting: &mut VecDeque<Parked>) {
    answer_otherwise(std::mem::take(waiting));
}

fn answer_otherwise(over: VecDeque<Parked>) {
    for parked in over {
        // Whoever went away needs no answer.
        let _ = parked.answer.send(Ok(parked.otherwise));
    }
}
