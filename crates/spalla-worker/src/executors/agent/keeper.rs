//! What goes on beside the runs: each process of an agent is carried on to its end by a task of its own.

use std::sync::{Arc, Mutex, PoisonError};
use tokio::task::JoinSet;

/// Carries on what belongs to processes; cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Keeper(Arc<Mutex<JoinSet<()>>>);

impl Keeper {
    /// Carries something on until it is over.
    pub(super) fn keep(&self, life: impl Future<Output = ()> + Send + 'static) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while kept.try_join_next().is_some() {}
        kept.spawn(life);
    }

    /// Waits until everything is over, also what is begun meanwhile.
    pub(super) async fn close(&self) {
        loop {
            let mut kept = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
            if kept.is_empty() {
                return;
            }
            while kept.join_next().await.is_some() {}
        }
    }
}
