//! Keep time: let the store move what is due and free what vanished holders held.

use spalla_store::{Command, Reply, Store};

/// How many rows of each kind one transaction moves.
const BATCH: u32 = 1_000;

/// Moves everything that is due. Returns whether the store could do it.
pub(crate) async fn keep_time(store: &Store) -> bool {
    loop {
        match store.execute(Command::KeepTime { max: BATCH }).await {
            Ok(Reply::Moved(moved)) if moved >= BATCH => {}
            Ok(_) => return true,
            Err(error) => {
                tracing::warn!(%error, "moving what is due");
                return false;
            }
        }
    }
}
