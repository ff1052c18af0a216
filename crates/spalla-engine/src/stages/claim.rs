//! Claim: serve the claimers that wait, first come first served, when something may have become eligible.

use crate::input::Parked;
use crate::waiting_room::WaitingRoom;
use futures_util::future::join_all;
use spalla_domain::claim::{Assignment, Heartbeat};
use spalla_domain::event::{Event, Fact};
#[cfg(debug_assertions)]
use spalla_domain::plant::{self, Plant};
use spalla_store::{Command, Reply, Store};
use std::collections::BTreeSet;

/// How many waiting claimers are asked for at once: they share one transaction, and a lone item wakes no crowd.
const TOGETHER: usize = 16;

/// Tells whether an event may let a claimer find something.
fn may_be_claimable(event: &Event) -> bool {
    #[cfg(debug_assertions)]
    if plant::is(Plant::LostWakeUp) && matches!(event.fact, Fact::WorkItemReady {}) {
        return false;
    }
    matches!(
        event.fact,
        Fact::WorkItemReady {}
            | Fact::RunCreated { .. }
            | Fact::LeaseExpired { .. }
            | Fact::RunHandedBack { .. }
            | Fact::RunResumed {}
            | Fact::ApprovalDecided { .. }
    )
}

/// Tells whether events leave something for a claimer to find: what was handed off at once is taken.
pub(crate) fn are_claimable(events: &[Event]) -> bool {
    let mut open = BTreeSet::new();
    for event in events {
        if may_be_claimable(event) {
            open.insert(event.work_item_id);
        } else if matches!(event.fact, Fact::RunClaimed { .. }) {
            open.remove(&event.work_item_id);
        }
    }
    !open.is_empty()
}

/// Serves claimers until a round finds nothing for anybody.
pub(crate) async fn serve(store: &Store, waiting: &WaitingRoom) {
    let mut unserved = vec![];
    loop {
        let round = waiting.take(TOGETHER);
        let claims = round.iter().map(|parked| store.execute(parked.request()));
        let answers = join_all(claims).await;
        let mut served = 0;
        for (parked, answer) in round.into_iter().zip(answers) {
            match answer {
                Ok(Reply::Claimed(runs)) if runs.is_empty() => unserved.push(parked),
                Ok(claimed) => {
                    served += 1;
                    deliver(store, parked, claimed).await;
                }
                // The store is away; whoever waits goes on waiting, and asks again when it is back.
                Err(error) => {
                    tracing::warn!(%error, "serving a waiting claimer");
                    unserved.push(parked);
                }
            }
        }
        if served == 0 {
            break;
        }
    }
    waiting.bring_back(unserved);
}

/// Gives a claimer its runs; where it went away meanwhile, they go back at once instead of when the lease ends.
pub(crate) async fn deliver(store: &Store, parked: Parked, claimed: Reply) {
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

/// Answers those who got nothing.
pub(crate) fn answer_otherwise(over: Vec<Parked>) {
    for parked in over {
        // Whoever went away needs no answer.
        let _ = parked.answer.send(Ok(parked.otherwise));
    }
}
