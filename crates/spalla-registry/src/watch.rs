//! Tells when a folder changes, by the means of the system.

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

/// How many changes wait at most; more of them say no more than that something changed.
const WAITING_MAX: usize = 64;
/// How long a folder has to be quiet before it is read: an editor writes a file in several steps.
const QUIET: Duration = Duration::from_millis(20);
/// How long one waits for that.
const QUIET_MAX: Duration = Duration::from_millis(100);

/// Watches a folder and everything below it.
#[derive(Debug)]
pub struct Watch {
    changes: Receiver<Result<(), String>>,
    /// Ends with the watch.
    _watcher: RecommendedWatcher,
}

impl Watch {
    /// Begins to watch.
    pub fn begin(folder: &Path) -> Result<Self, notify::Error> {
        let (sender, changes) = sync_channel(WAITING_MAX);
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let told = match event {
                Ok(event) if event.kind.is_access() => return,
                Ok(_) => Ok(()),
                Err(error) => Err(error.to_string()),
            };
            // Where many wait already, one more tells nothing new.
            let _ = sender.try_send(told);
        })?;
        watcher.watch(folder, RecursiveMode::Recursive)?;
        Ok(Self { changes, _watcher: watcher })
    }

    /// Waits for a change, and then until it is over; returns whether there was one in that time. The error says why
    /// changes are not told any more.
    pub fn changed(&self, wait: Duration) -> Result<bool, String> {
        match self.changes.recv_timeout(wait) {
            Ok(told) => told?,
            Err(RecvTimeoutError::Timeout) => return Ok(false),
            Err(RecvTimeoutError::Disconnected) => return Err("the folder is not watched any more".into()),
        }
        let until = Instant::now() + QUIET_MAX;
        while Instant::now() < until {
            match self.changes.recv_timeout(QUIET) {
                Ok(told) => told?,
                Err(_) => break,
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_deep_in_a_new_folder_is_told() {
        let root = tempfile::tempdir().unwrap();
        let watch = Watch::begin(root.path()).unwrap();
        std::fs::create_dir_all(root.path().join("a/b")).unwrap();
        assert_eq!(watch.changed(Duration::from_secs(10)), Ok(true));
        std::fs::write(root.path().join("a/b/c.md"), "x").unwrap();
        assert_eq!(watch.changed(Duration::from_secs(10)), Ok(true));
    }
}
