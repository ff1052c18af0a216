//! From which queues a worker was served last: it is most likely served from the same ones again. So the best of those are
//! picked along with the question which queues there are, and nothing is lost but some time where there are others by now.

use spalla_domain::{QueueId, WorkerId};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// More workers than wait at a server at once; each takes some hundred bytes.
const WORKERS_MAX: usize = 256;
/// Where so many queues wait, others will the next time.
const QUEUES_MAX: usize = 16;

/// Queues by worker; shared by the transactions of a process.
#[derive(Debug, Default)]
pub(crate) struct Guesses(Mutex<HashMap<WorkerId, Vec<QueueId>>>);

impl Guesses {
    /// Returns the queues that a worker was served from last.
    pub(super) fn of(&self, worker: &WorkerId) -> Option<Vec<QueueId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(worker).cloned()
    }

    /// Takes note of the queues that a worker is served from.
    pub(super) fn note(&self, worker: &WorkerId, queues: &[QueueId]) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match known.get(worker) {
            Some(same) if same == queues => return,
            None if known.len() >= WORKERS_MAX => known.clear(),
            _ => {}
        }
        match queues.len() {
            ..=QUEUES_MAX => known.insert(worker.clone(), queues.to_vec()),
            _ => known.remove(worker),
        };
    }
}

#[cfg(test)]
mod tests {
    //! What is guessed.

    use super::*;

    #[test]
    fn a_worker_is_guessed_to_be_served_from_where_it_was_last() {
        let (guesses, worker) = (Guesses::default(), WorkerId::new("w").unwrap());
        assert_eq!(guesses.of(&worker), None);
        guesses.note(&worker, &[QueueId(1), QueueId(2)]);
        guesses.note(&worker, &[QueueId(2)]);
        assert_eq!(guesses.of(&worker), Some(vec![QueueId(2)]));
        let many: Vec<_> = (0..=QUEUES_MAX as i64).map(QueueId).collect();
        guesses.note(&worker, &many);
        assert_eq!(guesses.of(&worker), None);
    }
}
