//! Remembers when the clock is next needed: the earliest moment at which a lease ends or a delayed item is due, as
//! far as this process knows. It may be too early, never too late for what this process committed.

use crate::crew::Crew;
use spalla_domain::Timestamp;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The earliest moment at which the clock has something to do.
#[derive(Debug)]
pub(crate) struct Timekeeper {
    state: Mutex<State>,
    /// When which worker was heard of.
    pub(crate) crew: Crew,
}

#[derive(Debug)]
struct State {
    next_ms: i64,
    /// How many looks into the store are under way.
    looks: u32,
    /// How many notes were ever taken.
    notes: u64,
    /// What was noted while somebody looks, by its number: a look may have been too early to see it.
    noted: Vec<(u64, i64)>,
}

/// What a fresh timekeeper says: look at once.
const UNKNOWN: i64 = i64::MIN;
/// Nothing waits for the clock.
const NEVER: i64 = i64::MAX;

impl Timekeeper {
    /// Makes one that knows nothing yet.
    pub(crate) fn new() -> Self {
        let state = State { next_ms: UNKNOWN, looks: 0, notes: 0, noted: Vec::new() };
        Self { state: Mutex::new(state), crew: Crew::default() }
    }

    /// Takes note that something waits for a moment. Who has several connections notes it once more after the commit:
    /// before that, nobody else can find it in the store.
    pub(crate) fn note(&self, at: Timestamp) {
        self.state().note(at.ms());
    }

    /// Begins to look into the store.
    pub(crate) fn look(&self) -> Look<'_> {
        let mut state = self.state();
        state.looks += 1;
        Look { keeper: self, seen: state.notes }
    }

    /// Forgets what it knows: after a batch that was rolled back, whatever it had moved is due again.
    pub(crate) fn forget(&self) {
        self.state().note(UNKNOWN);
        self.crew.forget();
    }

    /// Tells whether something may be due.
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        self.state().next_ms <= now.ms()
    }

    /// Returns the moment, where one is known.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        match self.state().next_ms {
            NEVER => None,
            ms => Some(Timestamp::from_ms(ms)),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn note(&mut self, at_ms: i64) {
        self.notes += 1;
        self.next_ms = self.next_ms.min(at_ms);
        if self.looks > 0 {
            self.noted.push((self.notes, at_ms));
        }
    }
}

/// A look into the store that is under way.
#[derive(Debug)]
pub(crate) struct Look<'k> {
    keeper: &'k Timekeeper,
    seen: u64,
}

impl Look<'_> {
    /// Takes note of what the store says, and of what was noted since the look began.
    pub(crate) fn found(self, at: Option<Timestamp>) {
        let mut state = self.keeper.state();
        let since = state.noted.iter().filter(|(number, _)| *number > self.seen).map(|(_, at_ms)| *at_ms);
        state.next_ms = since.chain([at.map_or(NEVER, Timestamp::ms)]).min().unwrap_or(UNKNOWN);
    }
}

impl Drop for Look<'_> {
    fn drop(&mut self) {
        let mut state = self.keeper.state();
        state.looks -= 1;
        if state.looks == 0 {
            state.noted.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noted_while_somebody_looks_is_not_forgotten() {
        let [early, late, later] = [5, 9, 12].map(Timestamp::from_ms);
        let keeper = Timekeeper::new();
        keeper.look().found(Some(late));
        assert_eq!(keeper.next(), Some(late));

        let (first, second) = (keeper.look(), keeper.look());
        keeper.note(early);
        let third = keeper.look();
        first.found(Some(late));
        assert_eq!(keeper.next(), Some(early));
        third.found(Some(later));
        assert_eq!(keeper.next(), Some(later), "this one looked after the note");
        second.found(None);
        assert_eq!(keeper.next(), Some(early));

        keeper.look().found(None);
        assert_eq!(keeper.next(), None);
        assert!(keeper.state().noted.is_empty());
    }

    #[test]
    fn what_is_forgotten_while_somebody_looks_stays_unknown() {
        let keeper = Timekeeper::new();
        keeper.look().found(None);
        let look = keeper.look();
        keeper.forget();
        look.found(None);
        assert!(keeper.is_due(Timestamp::from_ms(0)));
    }
}
