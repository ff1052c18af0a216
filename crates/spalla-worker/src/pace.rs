//! How fast one run's output is taken, so that a flood leaves the server and the processors to the other runs.

use std::time::Duration;
use tokio::time::Instant;

/// How much of a run's output is thrown away at a stretch, in bytes,
const STRETCH_BYTES: usize = 512 * 1024;
/// and how long its command waits then, in milliseconds: together some hundred megabytes in a second. A command that writes
/// more than anybody keeps would else have the processors to itself, and whoever reads it.
const PAUSE_MS: u64 = 4;
/// What a run may send without a pause, in bytes: far more than ordinary output brings at a time.
const STREAK_BYTES: usize = 1024 * 1024;
/// The longest pause behind one batch, in milliseconds: a server that is that slow has other worries.
const REST_MS_MAX: u64 = 50;
/// When a server that has not answered counts as away, in milliseconds.
const LATE_MS: u64 = 1_000;

/// The pace at which output that nobody keeps is read.
#[derive(Debug, Default)]
pub(crate) struct Discarding {
    bytes: usize,
}

impl Discarding {
    /// Takes note of bytes that were thrown away, and waits where they are many.
    pub(crate) async fn took(&mut self, bytes: usize) {
        self.bytes += bytes;
        if self.bytes >= STRETCH_BYTES {
            self.bytes = 0;
            tokio::time::sleep(Duration::from_millis(PAUSE_MS)).await;
        }
    }
}

/// The turns of one sender: however much it has to send, half of the server's time is left to others.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    /// Since when the server has not answered.
    asked_at: Option<Instant>,
    is_late: bool,
    streak_bytes: usize,
    rests_until: Option<Instant>,
}

impl Turns {
    /// Something is sent.
    pub(crate) fn asked(&mut self, now: Instant) {
        self.asked_at = Some(now);
    }

    /// The server answered. One who sends without end rests as long as that took.
    pub(crate) fn answered(&mut self, now: Instant, bytes: usize) {
        let took = self.asked_at.take().map_or(Duration::ZERO, |asked_at| now - asked_at);
        self.is_late = false;
        self.streak_bytes = self.streak_bytes.saturating_add(bytes);
        if self.streak_bytes > STREAK_BYTES {
            self.rests_until = Some(now + took.min(Duration::from_millis(REST_MS_MAX)));
        }
    }

    /// There is nothing to send.
    pub(crate) fn is_through(&mut self) {
        self.streak_bytes = 0;
    }

    /// Tells whether the next may be sent.
    pub(crate) const fn may_send(&self) -> bool {
        self.rests_until.is_none()
    }

    /// Tells whether the server takes so long to answer that nobody can say whether it will.
    pub(crate) const fn is_late(&self) -> bool {
        self.is_late
    }

    /// Returns when something changes by time alone.
    pub(crate) fn changes_at(&self) -> Option<Instant> {
        let late_at = self.asked_at.filter(|_| !self.is_late).map(|at| at + Duration::from_millis(LATE_MS));
        late_at.into_iter().chain(self.rests_until).min()
    }

    /// Time went on.
    pub(crate) fn look(&mut self, now: Instant) {
        self.is_late |= self.asked_at.is_some_and(|at| now >= at + Duration::from_millis(LATE_MS));
        self.rests_until = self.rests_until.filter(|until| *until > now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn who_sends_without_end_leaves_half_of_the_time_to_others() {
        let (mut turns, start) = (Turns::default(), Instant::now());
        turns.asked(start);
        turns.answered(start + ms(7), STREAK_BYTES);
        assert!(turns.may_send(), "a burst is no flood");
        turns.asked(start + ms(10));
        turns.answered(start + ms(17), 1);
        assert_eq!((turns.may_send(), turns.changes_at()), (false, Some(start + ms(24))));
        turns.look(start + ms(24));
        assert_eq!((turns.may_send(), turns.changes_at()), (true, None));
        turns.is_through();
        turns.asked(start + ms(30));
        turns.answered(start + ms(31), 1);
        assert!(turns.may_send());
    }

    #[test]
    fn a_server_that_does_not_answer_counts_as_away_after_a_while() {
        let (mut turns, start) = (Turns::default(), Instant::now());
        turns.asked(start);
        assert_eq!(turns.changes_at(), Some(start + ms(LATE_MS)));
        turns.look(start + ms(LATE_MS));
        assert_eq!((turns.is_late(), turns.changes_at()), (true, None));
        turns.answered(start + ms(LATE_MS + 1), 1);
        assert!(!turns.is_late());
    }
}
