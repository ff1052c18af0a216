//! Keeps the queue from growing without end: whoever brings more is told to come back later.

use crate::problem::Problem;
use crate::state::Shared;
use spalla_domain::problem::Code;
use spalla_domain::{Refusal, Timestamp};
use std::sync::{Mutex, PoisonError};

/// How long what was read of the queue counts, in milliseconds.
const FRESH_MS: i64 = 1_000;

/// How full the queue is: read now and then, and what was let in since. What started since is not taken off, so it
/// may say more than there is for a moment, and never much less.
#[derive(Debug)]
pub(crate) struct Gauge {
    limit: u64,
    state: Mutex<Level>,
}

#[derive(Debug, Default)]
struct Level {
    read_at: Option<Timestamp>,
    read: u64,
    let_in: u64,
}

impl Gauge {
    /// Makes a gauge that has read nothing yet.
    pub(crate) fn new(limit: u64) -> Self {
        Self { limit, state: Mutex::default() }
    }

    /// Tells whether it is time to read the queue again. Whoever is told so does it; others go by what is known.
    fn is_due(&self, now: Timestamp) -> bool {
        let mut level = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let is_fresh =
            level.read_at.is_some_and(|read_at| (0..FRESH_MS).contains(&(now.ms() - read_at.ms())));
        if !is_fresh {
            level.read_at = Some(now);
            // Whatever comes in from here on may be missing in what is read.
            level.read += std::mem::take(&mut level.let_in);
        }
        !is_fresh
    }

    fn set(&self, entries: u64) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).read = entries;
    }

    fn let_in(&self, count: u64) -> Result<(), Refusal> {
        let mut level = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let entries = level.read + level.let_in;
        if entries + count > self.limit {
            let detail = format!(
                "the queue has {entries} entries, and with {count} more it would have more than {}",
                self.limit
            );
            return Err(Refusal::new(Code::QueueFull, detail)
                .mend("wait until some have started, or raise queue_limit (ORCH_QUEUE_LIMIT)"));
        }
        level.let_in += count;
        Ok(())
    }
}

impl Shared {
    /// Lets entries into the queue, or says that there is no room.
    pub(crate) async fn admit_entries(&self, count: usize) -> Result<(), Problem> {
        if self.gauge.is_due(self.now()) {
            let depths = self.read().depths().await?;
            self.gauge.set(depths.ready + depths.delayed + depths.blocked);
        }
        Ok(self.gauge.let_in(count as u64)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_let_in_counts_until_the_queue_is_read_again() {
        let gauge = Gauge::new(10);
        let at = Timestamp::from_ms;
        assert!(gauge.is_due(at(0)));
        gauge.set(4);
        assert!(gauge.let_in(6).is_ok());
        assert_eq!(gauge.let_in(1).unwrap_err().code, Code::QueueFull);
        assert!(!gauge.is_due(at(999)));
        assert!(
            gauge.is_due(at(1_000)) && gauge.let_in(1).is_err(),
            "while it is read, what is known counts"
        );
        gauge.set(9);
        assert!(gauge.let_in(1).is_ok() && gauge.let_in(1).is_err());
        assert!(gauge.is_due(at(500)), "a clock that was put back does not hold it for ever");
    }
}
