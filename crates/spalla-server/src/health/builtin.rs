//! Looks at the server's own parts: its store, whoever works for it, its disk.

use crate::state::App;
use std::path::Path;

/// Below so many free bytes nothing works for long.
const DISK_FREE_MIN: u64 = 200 << 20;

/// Reads something small from the store.
pub(super) async fn store(app: &App) -> Result<(), String> {
    // What exactly the database said is for the server's own log.
    app.read().newest_event().await.map(drop).map_err(|error| {
        tracing::warn!(%error, "the store fails its check");
        "the store can't be read".into()
    })
}

/// Tells whether what serves of the agents is what was published last.
pub(super) fn agents(app: &App) -> Result<(), String> {
    match app.definitions.registry.refused() {
        Some(reason) => Err(format!("the newest agents do not serve: {reason}")),
        None => Ok(()),
    }
}

/// Looks for room on the disk that holds a folder.
pub(super) fn disk(folder: Option<&Path>) -> Result<(), String> {
    let Some(folder) = folder else { return Err("no data folder is known".into()) };
    let disk =
        rustix::fs::statvfs(folder).map_err(|error| format!("the disk can't be looked at: {error}"))?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    if free >= DISK_FREE_MIN {
        return Ok(());
    }
    Err(format!("{} MiB are free, and {} are needed", free >> 20, DISK_FREE_MIN >> 20))
}

/// Remembers between two looks what workers were doing.
#[derive(Debug, Default)]
pub(super) struct WorkerWatch {
    calls: Option<u64>,
}

impl WorkerWatch {
    /// Tells whether something waits to be carried out and no worker has called since the last look.
    pub(super) async fn look(&mut self, app: &App) -> Result<(), String> {
        let calls = app.engine.worker_calls();
        let before = self.calls.replace(calls);
        let depths = app.read().depths().await.map_err(|_| "the store can't be read".to_owned())?;
        let waiting = depths.ready + depths.pending;
        let is_alone = before == Some(calls) && !app.engine.has_waiting_worker();
        if waiting > 0 && is_alone {
            return Err(format!("{waiting} items wait to be carried out, and no worker asks for any"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_looked_at_by_its_folder() {
        assert!(disk(Some(Path::new("/no/such/folder"))).is_err());
        assert!(disk(None).is_err());
    }
}
