//! Time in a schedule: it passes on tokio's paused clock, and each server's own clock may be set wrong.

use spalla_domain::Timestamp;
use spalla_store::Clock;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tokio::time::Instant;

/// When every schedule begins: any moment would do.
pub(crate) const BEGIN_MS: i64 = 1_700_000_000_000;

/// The clock of one server, right or wrong.
#[derive(Debug)]
pub(crate) struct ServerClock {
    begin: Instant,
    wrong_by_ms: AtomicI64,
}

impl ServerClock {
    /// Makes a clock that is right; `begin` is when the schedule began.
    pub(crate) fn new(begin: Instant) -> Arc<Self> {
        Arc::new(Self { begin, wrong_by_ms: AtomicI64::new(0) })
    }

    /// Sets the clock forward, or back where the number is negative.
    pub(crate) fn set_by_ms(&self, ms: i64) {
        self.wrong_by_ms.fetch_add(ms, Ordering::Relaxed);
    }

    /// Returns how far it is ahead.
    pub(crate) fn ahead_ms(&self) -> i64 {
        self.wrong_by_ms.load(Ordering::Relaxed)
    }
}

impl Clock for ServerClock {
    fn now(&self) -> Timestamp {
        let passed = i64::try_from(self.begin.elapsed().as_millis()).unwrap_or(i64::MAX);
        Timestamp::from_ms(BEGIN_MS + passed + self.ahead_ms())
    }
}

/// What a store's own threads see of the clock: they are outside of the schedule's time, so it is shown to them
/// before each batch.
#[derive(Debug, Default)]
pub(crate) struct ShownClock(AtomicI64);

impl ShownClock {
    /// Shows the time until the next call.
    pub(crate) fn show(&self, now: Timestamp) {
        self.0.store(now.ms(), Ordering::Relaxed);
    }
}

impl Clock for ShownClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_ms(self.0.load(Ordering::Relaxed))
    }
}
