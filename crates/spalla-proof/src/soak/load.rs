//! What everybody who makes load shares: the ledger, the wishes to pause and to end, and how to talk to the servers.

use super::ledger::Ledger;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// The state of the load.
pub(crate) struct Load {
    ledger: Mutex<Ledger>,
    submitted: AtomicU64,
    is_held: AtomicBool,
    is_over: AtomicBool,
    hands_leave: AtomicBool,
    /// Where the servers are reached, by way of the proxies.
    pub(crate) bases: Vec<String>,
    /// The project of all items.
    pub(crate) project: i64,
    /// The file in which every execution leaves a line.
    pub(crate) journal: PathBuf,
    /// The seed of everything that is chosen.
    pub(crate) seed: u64,
}

impl Load {
    /// Makes the state at the beginning.
    pub(crate) fn new(bases: Vec<String>, project: i64, journal: PathBuf, seed: u64) -> Self {
        Self {
            ledger: Mutex::default(),
            submitted: AtomicU64::new(0),
            is_held: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
            hands_leave: AtomicBool::new(false),
            bases,
            project,
            journal,
            seed,
        }
    }

    /// Writes into the ledger, or reads it.
    pub(crate) fn note<T>(&self, note: impl FnOnce(&mut Ledger) -> T) -> T {
        note(&mut self.ledger.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Counts an acknowledged work item.
    pub(crate) fn count(&self) {
        self.submitted.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns how many work items were acknowledged.
    pub(crate) fn submitted(&self) -> u64 {
        self.submitted.load(Ordering::Relaxed)
    }

    /// Lets clients wait, because the workers have enough to do, or go on.
    pub(crate) fn hold(&self, hold: bool) {
        self.is_held.store(hold, Ordering::Relaxed);
    }

    /// Tells whether clients are to wait.
    pub(crate) fn is_held(&self) -> bool {
        self.is_held.load(Ordering::Relaxed)
    }

    /// Lets clients finish what they are at, and go.
    pub(crate) fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    /// Tells whether no more is to be submitted.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// Lets the workers that speak for themselves go: nothing is left for them.
    pub(crate) fn dismiss_hands(&self) {
        self.hands_leave.store(true, Ordering::Relaxed);
    }

    /// Tells whether they are to go.
    pub(crate) fn hands_leave(&self) -> bool {
        self.hands_leave.load(Ordering::Relaxed)
    }
}
