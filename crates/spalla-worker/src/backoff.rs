//! How long to wait before trying again: twice as long each time, moved at random so that many workers that lost
//! the same server do not come back in step.

use crate::worker::Randomness;
use std::time::Duration;

/// The first wait, in milliseconds.
const FIRST_MS: u64 = 100;
/// The shortest first wait, in milliseconds.
const FIRST_MS_MIN: u64 = 10;
/// The longest wait, in milliseconds, unless the first is longer: a server that is back is noticed within this time.
const LONGEST_MS: u64 = 15_000;
/// The longest wait that the other side may ask for, in milliseconds.
const ASKED_MS_MAX: i64 = 300_000;

/// The waits of one series of failures.
#[derive(Debug)]
pub(crate) struct Backoff {
    failures: u32,
    first_ms: u64,
}

impl Default for Backoff {
    fn default() -> Self {
        Self::from_ms(FIRST_MS)
    }
}

impl Backoff {
    /// Makes one whose first wait is about this long; never so short that nothing is left of the pause.
    pub(crate) fn from_ms(first_ms: u64) -> Self {
        Self { failures: 0, first_ms: first_ms.max(FIRST_MS_MIN) }
    }

    /// Begins anew after a success; tells whether there had been a failure.
    pub(crate) fn reset(&mut self) -> bool {
        std::mem::take(&mut self.failures) > 0
    }

    /// Tells whether the last call succeeded.
    pub(crate) fn is_calm(&self) -> bool {
        self.failures == 0
    }

    /// Returns the next wait, at least as long as the other side asks for.
    pub(crate) fn next(&mut self, asked_ms: Option<i64>, randomness: &Randomness) -> Duration {
        let longest = LONGEST_MS.max(self.first_ms);
        let whole = self.first_ms.saturating_mul(1 << self.failures.min(16)).min(longest);
        self.failures = self.failures.saturating_add(1);
        let own = whole / 2 + randomness() % (whole / 2 + 1);
        let asked = asked_ms.unwrap_or(0).clamp(0, ASKED_MS_MAX).unsigned_abs();
        Duration::from_millis(own.max(asked))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn most() -> Randomness {
        std::sync::Arc::new(|| u64::MAX)
    }

    #[test]
    fn waits_grow_to_a_bound_and_begin_anew_after_a_success() {
        let mut backoff = Backoff::default();
        for failure in 0..20_u32 {
            let wait = backoff.next(None, &most()).as_millis();
            let whole = (100_u128 << failure.min(16)).min(15_000);
            assert!((whole / 2..=whole).contains(&wait), "{failure}: {wait}");
        }
        assert!(backoff.reset());
        assert!(backoff.next(None, &most()).as_millis() <= 100);
    }

    #[test]
    fn the_first_wait_can_be_chosen_and_is_never_none() {
        let first = |ms| Backoff::from_ms(ms).next(None, &most()).as_millis();
        assert!((1_000..=2_000).contains(&first(2_000)) && (5..=10).contains(&first(0)));
        let mut long = Backoff::from_ms(60_000);
        for _ in 0..3 {
            assert!((30_000..=60_000).contains(&long.next(None, &most()).as_millis()));
        }
    }

    #[test]
    fn the_other_side_may_ask_for_more() {
        assert_eq!(Backoff::default().next(Some(7_000), &most()), Duration::from_secs(7));
        assert_eq!(Backoff::default().next(Some(i64::MAX), &most()), Duration::from_secs(300));
    }
}
