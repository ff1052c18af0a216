//! Whether a worker stands still. Whoever waits for it to move goes on in the order of waiting, so that a schedule
//! repeats itself; a watch channel would choose by chance of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Notify;

/// A switch that everything of one worker looks at.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stall(Arc<Switch>);

#[derive(Debug, Default)]
struct Switch {
    stands: AtomicBool,
    moves: Notify,
}

impl Stall {
    /// Lets the worker stand still.
    pub(crate) fn stand(&self) {
        self.0.stands.store(true, Ordering::Relaxed);
    }

    /// Lets it move on.
    pub(crate) fn move_on(&self) {
        self.0.stands.store(false, Ordering::Relaxed);
        self.0.moves.notify_waiters();
    }

    /// Waits while it stands still.
    pub(crate) async fn moving(&self) {
        while self.0.stands.load(Ordering::Relaxed) {
            self.0.moves.notified().await;
        }
    }
}
