//! A worker at work in a folder of its own, with the coordinator in memory.

use crate::fake::Fake;
use crate::tools::supervisor;
use spalla_domain::{Timestamp, WorkerId};
use spalla_worker::{Error, Handle, Options, Worker, child_env};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;
use tokio::task::JoinSet;

pub(crate) struct Site {
    pub(crate) fake: Arc<Fake>,
    pub(crate) folder: TempDir,
}

pub(crate) struct Working {
    pub(crate) handle: Handle,
    worker: JoinSet<Result<(), Error>>,
}

impl Site {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("shared")).unwrap();
        Self { fake: Arc::new(Fake::default()), folder }
    }

    /// A file that the test and the steps share.
    pub(crate) fn shared(&self, name: &str) -> PathBuf {
        self.path("shared").join(name)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// Options in which everything that is waited for comes soon.
    pub(crate) fn options(&self) -> Options {
        let id = WorkerId::new("worker-1").unwrap();
        let clock = Arc::new(|| Timestamp::from_ms(1_700_000_000_000));
        let mut options = Options::new(id, self.data(), child_env(std::env::vars()), supervisor(), clock);
        options.sandbox.write = vec![self.path("shared")];
        options.heartbeat_interval_ms = 20;
        options.poll_wait_ms = 1_000;
        options.error_backoff_ms = 100;
        options
    }

    pub(crate) fn start(&self) -> Working {
        self.start_with(|_| {})
    }

    pub(crate) fn start_with(&self, change: impl FnOnce(&mut Options)) -> Working {
        let mut options = self.options();
        change(&mut options);
        let (worker, handle) = Worker::new(options, self.fake.clone()).unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(worker.run());
        Working { handle, worker: tasks }
    }
}

impl Working {
    /// Waits until the worker has gone.
    pub(crate) async fn gone(&mut self) {
        self.worker.join_next().await.unwrap().unwrap().unwrap();
    }

    pub(crate) async fn stop(&mut self) {
        self.handle.stop();
        self.gone().await;
    }
}

/// Returns every file beneath a folder with its bytes, and every link with its target.
pub(crate) fn bytes_beneath(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut next = vec![folder.to_owned()];
    while let Some(folder) = next.pop() {
        for entry in std::fs::read_dir(&folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                next.push(path.clone());
                found.push((path, Vec::new()));
            } else if kind.is_symlink() {
                let target = std::fs::read_link(&path).unwrap();
                found.push((path, target.into_os_string().into_encoded_bytes()));
            } else {
                found.push((path.clone(), std::fs::read(path).unwrap()));
            }
        }
    }
    found.sort();
    found
}
