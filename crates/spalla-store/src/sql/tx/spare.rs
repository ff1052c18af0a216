//! Ids that were taken and not used: the next transaction of this process takes them first, so that a refusal leaves
//! no gap. A sequence of Postgres does not go back when a transaction does, so whoever holds ids may use them later.
//!
//! Where one item is made right after the other, more ids are taken than are needed, so that the next ones need not be asked
//! for. Those are used for a moment only: ids of several servers are in the order in which items were made, but for that.

use crate::tx::{Ids, Sequence};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How many ids a busy process takes at once.
const BLOCK: usize = 64;
/// Whoever asks again within this is busy.
const BUSY: Duration = Duration::from_millis(20);
/// For how long ids may be used that were taken ahead.
const AHEAD: Duration = Duration::from_millis(500);

/// Spare ids, some of each sequence.
#[derive(Debug, Default)]
pub(crate) struct Spare(Mutex<BTreeMap<Sequence, Stock>>);

#[derive(Debug, Default)]
struct Stock {
    ids: Ids,
    /// Until when ids may be used without being asked for, where they were taken ahead.
    until: Option<Instant>,
    asked_at: Option<Instant>,
}

impl Spare {
    /// Takes consecutive ids, where there are so many.
    pub(super) fn take(&self, sequence: Sequence, count: usize) -> Option<Ids> {
        self.with(sequence, |stock| {
            let ids = &mut stock.ids;
            let end = ids.start.checked_add(i64::try_from(count).ok()?).filter(|end| *end <= ids.end)?;
            let is_old = stock.until.is_some_and(|until| until < Instant::now());
            (!is_old).then(|| std::mem::replace(&mut ids.start, end)..end)
        })
    }

    /// Returns how many ids to ask for where so many are needed.
    pub(super) fn wish(&self, sequence: Sequence, count: usize) -> usize {
        let now = Instant::now();
        let asked_at = self.with(sequence, |stock| stock.asked_at.replace(now));
        let is_busy = asked_at.is_some_and(|at| now.duration_since(at) < BUSY);
        // A run's id tells which of an item's runs is the newest, so that it is never taken ahead.
        let may_be_ahead = matches!(sequence, Sequence::WorkItem | Sequence::Entry);
        if is_busy && may_be_ahead { count.max(BLOCK) } else { count }
    }

    /// Receives fresh ids and returns as many as are needed; spare ones on which they follow come first, and what is left
    /// over is spare. What was taken ahead and not used in time is left out for good where others took some since.
    pub(super) fn receive(&self, sequence: Sequence, count: usize, fresh: Ids) -> Ids {
        let mut is_ahead = (fresh.end - fresh.start) as usize > count;
        let ids = self.with(sequence, |stock| {
            let spare = stock.ids.clone();
            let (follows, was_ahead) = (!spare.is_empty() && spare.end == fresh.start, stock.until.is_some());
            is_ahead |= follows && was_ahead;
            if follows || was_ahead {
                (stock.ids, stock.until) = (0..0, None);
            }
            if follows { spare.start..fresh.end } else { fresh }
        });
        let end = ids.start + count as i64;
        self.put(sequence, end..ids.end);
        if is_ahead {
            self.with(sequence, |stock| stock.until = Some(Instant::now() + AHEAD));
        }
        ids.start..end
    }

    /// Keeps ids that nobody used. Of two ranges that do not meet, the longer one is kept.
    pub(super) fn put(&self, sequence: Sequence, unused: Ids) {
        if unused.is_empty() {
            return;
        }
        self.with(sequence, |stock| {
            let known = &stock.ids;
            stock.ids = match known {
                known if known.is_empty() => unused,
                known if known.end == unused.start => known.start..unused.end,
                known if unused.end == known.start => unused.start..known.end,
                known if known.end - known.start >= unused.end - unused.start => known.clone(),
                _ => unused,
            };
        });
    }

    fn with<T>(&self, sequence: Sequence, work: impl FnOnce(&mut Stock) -> T) -> T {
        let mut stocks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        work(stocks.entry(sequence).or_default())
    }
}

#[cfg(test)]
mod tests {
    //! Which ids are given out, and when more are asked for.

    use super::*;

    #[test]
    fn spare_ids_are_given_out_once_and_in_order() {
        let spare = Spare::default();
        assert_eq!(spare.take(Sequence::Entry, 1), None);
        spare.put(Sequence::Entry, 7..9);
        assert_eq!(spare.take(Sequence::Entry, 3), None);
        assert_eq!(spare.take(Sequence::Entry, 1), Some(7..8));
        assert_eq!(spare.take(Sequence::WorkItem, 1), None);
        assert_eq!(spare.receive(Sequence::Entry, 3, 9..12), 8..11);
        assert_eq!(spare.take(Sequence::Entry, 1), Some(11..12));
        assert_eq!(spare.take(Sequence::Entry, 1), None);
    }

    #[test]
    fn spare_ids_that_others_came_behind_wait_for_a_wish_that_they_satisfy() {
        let spare = Spare::default();
        spare.put(Sequence::Entry, 7..9);
        assert_eq!(spare.receive(Sequence::Entry, 3, 20..23), 20..23);
        spare.put(Sequence::Entry, 22..23);
        assert_eq!(spare.take(Sequence::Entry, 2), Some(7..9));
    }

    #[test]
    fn whoever_asks_again_at_once_takes_items_and_entries_ahead_and_never_runs() {
        let spare = Spare::default();
        for sequence in [Sequence::WorkItem, Sequence::Entry] {
            assert_eq!(spare.wish(sequence, 2), 2);
            assert_eq!([spare.wish(sequence, 2), spare.wish(sequence, 1_000)], [BLOCK, 1_000]);
        }
        assert_eq!([spare.wish(Sequence::Run, 2), spare.wish(Sequence::Run, 2)], [2, 2]);
    }

    #[test]
    fn ids_taken_ahead_are_used_for_a_moment_and_later_only_where_nobody_else_took_any() {
        let spare = Spare::default();
        let grow_old = |spare: &Spare| {
            spare.with(Sequence::Entry, |stock| stock.until = stock.until.map(|until| until - AHEAD * 2));
        };
        assert_eq!(spare.receive(Sequence::Entry, 1, 1..65), 1..2);
        assert_eq!(spare.take(Sequence::Entry, 1), Some(2..3));
        grow_old(&spare);
        assert_eq!(spare.take(Sequence::Entry, 1), None);
        assert_eq!(spare.receive(Sequence::Entry, 1, 65..66), 3..4);

        assert_eq!(spare.receive(Sequence::Entry, 1, 66..130), 4..5);
        grow_old(&spare);
        assert_eq!(spare.receive(Sequence::Entry, 1, 200..201), 200..201);
        assert_eq!(spare.take(Sequence::Entry, 1), None);
    }
}
