//! How much each peer does, from the environment, so that one word to the harness changes it for all.

use std::time::Duration;

/// How many jobs one batch call takes at most.
const BATCH: usize = 1000;

/// How much to do.
#[derive(Clone, Copy)]
pub struct Sizes {
    /// `N`: jobs that are enqueued in batches and drained.
    pub jobs: usize,
    /// `N_SEQ`: jobs of one caller who waits for each.
    pub alone: usize,
    /// `N_CONC`: jobs of sixteen such callers together.
    pub crowd: usize,
    /// `RATE`: jobs a second while waits are measured.
    pub rate: usize,
    /// `RATE` times `LAT_SECS`: jobs while waits are measured.
    pub paced: usize,
    /// `DRAIN_LIMIT`: when a drain is given up.
    pub drain_limit: Duration,
}

impl Sizes {
    /// Returns what the environment says, or the sizes of a full run.
    pub fn from_env() -> Self {
        let rate = number("RATE", 50).max(1);
        Self {
            jobs: number("N", 20_000),
            alone: number("N_SEQ", 2_000),
            crowd: number("N_CONC", 8_000),
            rate,
            paced: rate * number("LAT_SECS", 8),
            drain_limit: Duration::from_secs(number("DRAIN_LIMIT", 40) as u64),
        }
    }

    /// Returns the sizes of the batches that make up all jobs.
    pub fn batches(self) -> impl Iterator<Item = usize> {
        (0..self.jobs).step_by(BATCH).map(move |done| BATCH.min(self.jobs - done))
    }

    /// Returns how many jobs each of `callers` enqueues.
    pub fn shares(self, callers: usize) -> impl Iterator<Item = usize> {
        (0..callers).map(move |caller| (self.crowd + caller) / callers)
    }
}

fn number(name: &str, otherwise: usize) -> usize {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(otherwise)
}
