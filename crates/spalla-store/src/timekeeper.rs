//! Remembers when the clock is next needed: the earliest moment at which a lease ends or a delayed item is due, as
//! far as this process knows. It may be too early, never too late for what this process wrote.

use spalla_domain::Timestamp;
use std::sync::atomic::{AtomicI64, Ordering};

/// The earliest moment at which the clock has something to do.
#[derive(Debug)]
pub(crate) struct Timekeeper(AtomicI64);

/// What a fresh timekeeper says: look at once.
const UNKNOWN: i64 = i64::MIN;
/// Nothing waits for the clock.
const NEVER: i64 = i64::MAX;

impl Timekeeper {
    /// Makes one that knows nothing yet.
    pub(crate) const fn new() -> Self {
        Self(AtomicI64::new(UNKNOWN))
    }

    /// Takes note that something waits for a moment.
    pub(crate) fn note(&self, at: Timestamp) {
        self.0.fetch_min(at.ms(), Ordering::Relaxed);
    }

    /// Takes note of what the store says.
    pub(crate) fn set(&self, at: Option<Timestamp>) {
        self.0.store(at.map_or(NEVER, Timestamp::ms), Ordering::Relaxed);
    }

    /// Forgets what it knows: after a batch that was rolled back, whatever it had moved is due again.
    pub(crate) fn forget(&self) {
        self.0.store(UNKNOWN, Ordering::Relaxed);
    }

    /// Tells whether something may be due.
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        self.0.load(Ordering::Relaxed) <= now.ms()
    }

    /// Returns the moment, where one is known.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        match self.0.load(Ordering::Relaxed) {
            NEVER => None,
            ms => Some(Timestamp::from_ms(ms)),
        }
    }
}
