//! The masks of the runs that speak just now. Each holds its secrets in the clear and is a thousand times as large as
//! they are, so that few are kept, and none longer than its run goes on.

use super::mask::Mask;
use spalla_domain::RunId;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many bytes the secrets of all masks have that are kept: twice what one run may have.
const SECRETS_BYTES_KEPT: usize = 128 * 1024;

/// The masks, the one that was used last at the end.
#[derive(Debug, Default)]
pub(super) struct Masks(Mutex<Vec<Known>>);

#[derive(Debug)]
struct Known {
    run_id: RunId,
    /// How many answers it hides.
    answers: u64,
    /// How many bytes they have.
    bytes: usize,
    mask: Mask,
}

impl Masks {
    /// Returns the mask of a run, if it hides so many answers.
    pub(super) fn get(&self, run_id: RunId, answers: u64) -> Option<Mask> {
        let mut all = self.all();
        let at = all.iter().position(|known| known.run_id == run_id && known.answers == answers)?;
        let known = all.remove(at);
        let mask = known.mask.clone();
        all.push(known);
        Some(mask)
    }

    /// Keeps the mask of a run, and drops others where that becomes too much.
    pub(super) fn keep(&self, run_id: RunId, answers: u64, bytes: usize, mask: Mask) {
        let mut all = self.all();
        all.retain(|known| known.run_id != run_id);
        all.push(Known { run_id, answers, bytes, mask });
        while all.iter().map(|known| known.bytes).sum::<usize>() > SECRETS_BYTES_KEPT {
            all.remove(0);
        }
    }

    /// Drops the mask of a run.
    pub(super) fn forget(&self, run_id: RunId) {
        self.all().retain(|known| known.run_id != run_id);
    }

    fn all(&self) -> MutexGuard<'_, Vec<Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_further_answer_makes_a_mask_worthless() {
        let masks = Masks::default();
        masks.keep(RunId(1), 1, 10, Mask::Nothing);
        assert!(masks.get(RunId(1), 1).is_some());
        assert!(masks.get(RunId(1), 2).is_none() && masks.get(RunId(2), 1).is_none());
        masks.forget(RunId(1));
        assert!(masks.get(RunId(1), 1).is_none());
    }

    #[test]
    fn the_mask_that_was_not_used_for_the_longest_time_goes_first() {
        let masks = Masks::default();
        for id in 1..=2 {
            masks.keep(RunId(id), 1, SECRETS_BYTES_KEPT / 2, Mask::Nothing);
        }
        masks.get(RunId(1), 1);
        masks.keep(RunId(3), 1, 1, Mask::Nothing);
        let kept = [1, 2, 3].map(|id| masks.get(RunId(id), 1).is_some());
        assert_eq!(kept, [true, false, true]);
    }
}
