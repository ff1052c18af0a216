//! Whether a failed run is tried again, and when.

use serde::{Deserialize, Serialize};

/// What kind of failure ended a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    /// The work itself failed, such as a step with a non-zero exit status; trying again may help.
    #[default]
    Failed,
    /// The run or a step took longer than it may.
    TimedOut,
    /// The network or a remote service failed.
    Network,
    /// A remote service said that it was asked too often, or that what may be used is used up.
    RateLimited,
    /// The machine could not do it: no disk, no memory, no process.
    System,
    /// What was asked can't be carried out as it stands: a missing tool, an invalid recipe, an unknown agent.
    /// Trying again without a change can't help.
    Validation,
    /// Something that the run needed was not allowed, by the sandbox, the command policy or an agent's own guards.
    /// Trying again without a change can't help.
    Denied,
    /// The agent did what its definition does not let it do, where that ends the run.
    /// Trying again without a change can't help.
    Policy,
    /// What carried the run out broke, such as an agent that a signal ended.
    Crashed,
    /// The worker vanished too many times.
    Lost,
}

impl ErrorClass {
    /// Tells whether trying again without a change can help.
    pub const fn is_retryable(self) -> bool {
        !matches!(self, Self::Validation | Self::Denied | Self::Policy)
    }
}

/// How the wait between two tries grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backoff {
    /// Not at all: each wait is the base.
    Fixed,
    /// It doubles: the first wait is twice the base.
    #[default]
    Exponential,
}

impl Backoff {
    /// Returns its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::Exponential => "exponential",
        }
    }

    /// Returns the one with this name.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Fixed, Self::Exponential].into_iter().find(|backoff| backoff.as_str() == word)
    }
}

/// How failures of a work item are retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// How many times a failed run is tried again.
    pub max_retries: u32,
    /// How the delay grows.
    #[serde(default)]
    pub backoff: Backoff,
    /// The base of the delay, in milliseconds.
    pub backoff_base_ms: i64,
    /// The delay is moved by at most this much either way, in milliseconds.
    pub backoff_jitter_ms: i64,
}

/// No retry waits longer than a day, in milliseconds.
pub const BACKOFF_MS_MAX: i64 = 86_400_000;

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_retries: 3,
            backoff: Backoff::Exponential,
            backoff_base_ms: 5_000,
            backoff_jitter_ms: 2_500,
        }
    }
}

impl RetryPolicy {
    /// Returns the wait after the given number of failures, in milliseconds: base × 2^failures, or the base where it does not
    /// grow; moved by `jitter` (−1 to 1) times the configured jitter, never negative and never above a day.
    pub fn delay_ms(&self, failures: u32, jitter: f64) -> i64 {
        let factor = match self.backoff {
            Backoff::Fixed => 1,
            Backoff::Exponential => 1_i64 << failures.min(32),
        };
        let base = self.backoff_base_ms.saturating_mul(factor).min(BACKOFF_MS_MAX);
        let moved = (self.backoff_jitter_ms as f64 * jitter.clamp(-1.0, 1.0)).round() as i64;
        base.saturating_add(moved).clamp(0, BACKOFF_MS_MAX)
    }

    /// Returns how many more times a failed item would be tried again.
    pub const fn retries_left(&self, failures: u32) -> u32 {
        self.max_retries.saturating_sub(failures)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_delay_doubles_with_each_failure_and_the_jitter_moves_it_either_way() {
        let policy = RetryPolicy::default();
        assert_eq!([1, 2, 3].map(|n| policy.delay_ms(n, 0.0)), [10_000, 20_000, 40_000]);
        assert_eq!([-1.0, 1.0].map(|j| policy.delay_ms(1, j)), [7_500, 12_500]);
    }

    #[test]
    fn a_fixed_delay_is_the_base_after_each_failure() {
        let policy = RetryPolicy { backoff: Backoff::Fixed, ..RetryPolicy::default() };
        assert_eq!([1, 2, 3, 40].map(|n| policy.delay_ms(n, 0.0)), [5_000; 4]);
        assert_eq!([-1.0, 1.0].map(|j| policy.delay_ms(3, j)), [2_500, 7_500]);
    }

    proptest! {
        #[test]
        fn no_delay_is_negative_or_longer_than_a_day(
            base in 0..i64::MAX, jitter_ms in 0..i64::MAX, failures in any::<u32>(), jitter in -1.0..1.0_f64,
        ) {
            let policy = RetryPolicy { backoff_base_ms: base, backoff_jitter_ms: jitter_ms, ..RetryPolicy::default() };
            prop_assert!((0..=BACKOFF_MS_MAX).contains(&policy.delay_ms(failures, jitter)));
        }
    }
}
