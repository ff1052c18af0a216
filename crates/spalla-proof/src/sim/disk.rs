//! The disk under one server: gathers what arrives together into one batch, takes its time, fails, and tells the
//! ledger what was committed. Behind it is a real store.

use super::clock::{ServerClock, ShownClock};
use super::database::Database;
use super::dice::{Dice, Fault};
use super::ledger::Ledger;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, join_all};
use spalla_store::{Clock as _, CommitGate, Outcome, Request, Store, StoreError, Writer};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// How many requests may wait for the disk; a schedule has far fewer callers.
const WAITING_MAX: usize = 1_024;
/// How many requests one transaction takes.
const BATCH_MAX: usize = 16;

/// A request on its way to the disk.
type Ticket = (Request, oneshot::Sender<Outcome>);

/// What the store sees of the disk: a writer like its own.
struct Slot(mpsc::Sender<Ticket>);

impl Writer for Slot {
    fn execute(&self, request: Request) -> BoxFuture<'_, Outcome> {
        async move {
            let (answer, answered) = oneshot::channel();
            self.0.send((request, answer)).await.map_err(|_| StoreError::Closed)?;
            let lost = |_| Err(StoreError::Unknown { detail: "the server died".to_owned() }.into());
            answered.await.unwrap_or_else(lost)
        }
        .boxed()
    }

    fn execute_all(&self, requests: Vec<Request>) -> BoxFuture<'_, Vec<Outcome>> {
        join_all(requests.into_iter().map(|request| self.execute(request))).boxed()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        std::future::ready(()).boxed()
    }
}

/// Lets the next commit fail, where the dice say so.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    /// What happens to the next transaction.
    next: AtomicU8,
    /// Which row is overtaken, where one is.
    row: AtomicU64,
}

const TORN: u8 = 1;
const FULL: u8 = 2;
const UNHEARD: u8 = 3;
const OVERTAKEN: u8 = 4;

impl Gate {
    fn throw(&self, dice: &Dice) {
        let fails = if dice.strikes(Fault::TornCommit, 8) {
            TORN
        } else if dice.strikes(Fault::DiskFull, 6) {
            FULL
        } else if dice.strikes(Fault::AnswerLost, 8) {
            UNHEARD
        } else if dice.strikes(Fault::RowOvertaken, 15) {
            self.row.store(dice.number(), Ordering::Relaxed);
            OVERTAKEN
        } else {
            0
        };
        self.next.store(fails, Ordering::Relaxed);
    }

    fn fails(&self, how: u8) -> bool {
        // Once: what is tried again succeeds.
        self.next.compare_exchange(how, 0, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

impl CommitGate for Gate {
    fn overtakes(&self, rows: usize) -> Option<usize> {
        self.fails(OVERTAKEN).then(|| (self.row.load(Ordering::Relaxed) % rows.max(1) as u64) as usize)
    }

    fn before(&self) -> Result<(), StoreError> {
        if self.fails(TORN) {
            return Err(StoreError::Conflict { what: "nothing: the commit was torn" });
        }
        if self.fails(FULL) {
            return Err(StoreError::Full { detail: "simulated".to_owned() });
        }
        Ok(())
    }

    fn after(&self) -> Result<(), StoreError> {
        if self.fails(UNHEARD) {
            return Err(StoreError::Unknown { detail: "simulated".to_owned() });
        }
        Ok(())
    }
}

/// The disk itself.
pub(crate) struct Disk {
    pub(crate) dice: Arc<Dice>,
    pub(crate) clock: Arc<ServerClock>,
    pub(crate) shown: Arc<ShownClock>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) database: Database,
}

/// A server's store with the disk between it and the real one.
pub(crate) struct Mounted {
    /// What the server uses.
    pub(crate) store: Store,
    /// The disk's work, to be run as a task of the server. After each commit it calls what it is given.
    tickets: mpsc::Receiver<Ticket>,
    real: Arc<dyn Writer>,
}

impl Mounted {
    /// Puts the disk before a store.
    pub(crate) fn new(store: Store) -> Self {
        let (sender, tickets) = mpsc::channel(WAITING_MAX);
        let real = OnceLock::new();
        let store = store.behind(|writer| {
            let _ = real.set(writer);
            Arc::new(Slot(sender))
        });
        let real = real.into_inner().unwrap_or_else(|| unreachable!("the wrapper was called"));
        Self { store, tickets, real }
    }

    /// Serves the store until it is dropped; `committed` is called after each commit with events.
    pub(crate) async fn run(mut self, disk: Disk, committed: impl Fn()) {
        while let Some(first) = self.tickets.recv().await {
            if disk.dice.chance(500) {
                tokio::time::sleep(Duration::from_millis(disk.dice.between(1, 4))).await;
            }
            let mut batch = vec![first];
            while let Ok(ticket) = self.tickets.try_recv() {
                batch.push(ticket);
                if batch.len() == BATCH_MAX {
                    break;
                }
            }
            self.flush(&disk, batch, &committed);
        }
    }

    fn flush(&self, disk: &Disk, batch: Vec<Ticket>, committed: &impl Fn()) {
        let (requests, answers): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
        if disk.dice.strikes(Fault::StoreError, 5) {
            for answer in answers {
                let _ = answer.send(Err(StoreError::Unavailable { detail: "simulated".to_owned() }.into()));
            }
            return;
        }
        disk.gate.throw(&disk.dice);
        disk.shown.show(disk.clock.now());
        disk.ledger.before(&requests);
        let outcomes = disk.database.wait_for(self.real.execute_all(requests.clone()));
        let events = disk.ledger.after(&self.store, &requests, &outcomes, disk.clock.now());
        let is_unknown = outcomes.iter().any(is_unknown);
        for (answer, outcome) in answers.into_iter().zip(outcomes) {
            // Whoever went away does not want its answer.
            let _ = answer.send(outcome);
        }
        if !events.is_empty() && !is_unknown {
            self.store.publish(events.into());
            committed();
        } else if is_unknown {
            self.store.publish([].into());
        }
    }
}

fn is_unknown(outcome: &Outcome) -> bool {
    matches!(outcome, Err(spalla_store::ExecuteError::Store(StoreError::Unknown { .. })))
}
