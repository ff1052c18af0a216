//! Background tick: give eligible items that nobody of ours carries out a run, so that somebody outside can claim
//! or complete it. Everything else gets its run when a worker claims it: making runs earlier would freeze the order.

use spalla_store::{Command, Reply, Store};

/// How many runs one transaction makes.
const BATCH: u32 = 500;

/// Gives every eligible external item a run.
pub(crate) async fn tick_external(store: &Store) {
    loop {
        match store.execute(Command::Tick { max: BATCH, external_only: true }).await {
            Ok(Reply::Ticked { started, .. }) if started.len() >= BATCH as usize => {}
            Ok(_) => return,
            Err(error) => {
                tracing::warn!(%error, "making runs of external items");
                return;
            }
        }
    }
}
