//! Ids that were taken and not used: the next transaction of this process takes them first, so that a refusal leaves
//! no gap. A sequence of Postgres does not go back when a transaction does, so whoever holds ids may use them later.

use crate::tx::{Ids, Sequence};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Spare ids, some of each sequence.
#[derive(Debug, Default)]
pub(crate) struct Spare(Mutex<BTreeMap<Sequence, Ids>>);

impl Spare {
    /// Takes consecutive ids, where there are so many.
    pub(super) fn take(&self, sequence: Sequence, count: usize) -> Option<Ids> {
        let mut spare = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ids = spare.get_mut(&sequence)?;
        let end = ids.start.checked_add(i64::try_from(count).ok()?).filter(|end| *end <= ids.end)?;
        Some(std::mem::replace(&mut ids.start, end)..end)
    }

    /// Puts spare ids before fresh ones that follow on them; the same number is then left over at the end.
    pub(super) fn join(&self, sequence: Sequence, fresh: Ids) -> Ids {
        let mut spare = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match spare.remove(&sequence) {
            Some(ids) if ids.end == fresh.start => ids.start..fresh.end,
            Some(ids) => {
                spare.insert(sequence, ids);
                fresh
            }
            None => fresh,
        }
    }

    /// Keeps ids that nobody used. Of two ranges that do not meet, the longer one is kept.
    pub(super) fn put(&self, sequence: Sequence, unused: Ids) {
        if unused.is_empty() {
            return;
        }
        let mut spare = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = match spare.get(&sequence) {
            Some(known) if known.end == unused.start => known.start..unused.end,
            Some(known) if unused.end == known.start => unused.start..known.end,
            Some(known) if known.end - known.start >= unused.end - unused.start => known.clone(),
            _ => unused,
        };
        spare.insert(sequence, kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spare_ids_are_given_out_once_and_in_order() {
        let spare = Spare::default();
        assert_eq!(spare.take(Sequence::Entry, 1), None);
        spare.put(Sequence::Entry, 7..9);
        assert_eq!(spare.take(Sequence::Entry, 3), None);
        assert_eq!(spare.take(Sequence::Entry, 1), Some(7..8));
        assert_eq!(spare.take(Sequence::WorkItem, 1), None);
        assert_eq!(spare.join(Sequence::Entry, 9..12), 8..12);
        assert_eq!(spare.take(Sequence::Entry, 1), None);
    }

    #[test]
    fn spare_ids_that_others_came_behind_wait_for_a_wish_that_they_satisfy() {
        let spare = Spare::default();
        spare.put(Sequence::Entry, 7..9);
        assert_eq!(spare.join(Sequence::Entry, 20..23), 20..23);
        spare.put(Sequence::Entry, 22..23);
        assert_eq!(spare.take(Sequence::Entry, 2), Some(7..9));
    }
}
