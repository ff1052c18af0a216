//! Claimers that wait, first come first served. Whoever serves some takes them out, and brings back those that got
//! nothing.

use crate::input::Parked;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::time::Instant;

/// The room; clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct WaitingRoom {
    waiting: Arc<Mutex<VecDeque<Parked>>>,
    rounds: Arc<AtomicU64>,
}

impl WaitingRoom {
    /// Returns how many rounds were made to serve those who wait. Who finds nothing and comes in before the next round
    /// has missed none.
    pub(crate) fn rounds(&self) -> u64 {
        self.rounds.load(Ordering::SeqCst)
    }

    /// Begins a round.
    pub(crate) fn begin_round(&self) {
        self.rounds.fetch_add(1, Ordering::SeqCst);
    }

    /// Lets a claimer wait behind the others.
    pub(crate) fn enter(&self, parked: Parked) {
        self.lock().push_back(parked);
    }

    /// Takes out those who have waited longest, and forgets those who went away.
    pub(crate) fn take(&self, count: usize) -> Vec<Parked> {
        let mut waiting = self.lock();
        let mut taken = Vec::with_capacity(count.min(waiting.len()));
        while taken.len() < count
            && let Some(parked) = waiting.pop_front()
        {
            if !parked.answer.is_closed() {
                taken.push(parked);
            }
        }
        taken
    }

    /// Brings back those who were taken and got nothing, in their order and before all others.
    pub(crate) fn bring_back(&self, taken: Vec<Parked>) {
        let mut waiting = self.lock();
        for parked in taken.into_iter().rev() {
            waiting.push_front(parked);
        }
    }

    /// Takes out those whose time to wait is over.
    pub(crate) fn take_overdue(&self, now: Instant) -> Vec<Parked> {
        let mut waiting = self.lock();
        let (over, still): (VecDeque<_>, VecDeque<_>) =
            std::mem::take(&mut *waiting).into_iter().partition(|parked| parked.deadline <= now);
        *waiting = still;
        over.into()
    }

    /// Returns when the first of them stops waiting.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.lock().iter().map(|parked| parked.deadline).min()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Parked>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
