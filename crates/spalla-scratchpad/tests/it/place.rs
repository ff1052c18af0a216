//! A data folder with scratchpads.

use spalla_domain::Timestamp;
use spalla_scratchpad::{Id, New, Options, Quota, Scratchpads};
use std::path::PathBuf;
use tempfile::TempDir;

/// When every test begins: 2023-11-14T22:13:20Z.
pub(crate) const BEGIN: Timestamp = Timestamp::from_ms(1_700_000_000_000);
/// How long a scratchpad is kept.
pub(crate) const HOUR_MS: i64 = 3_600_000;

pub(crate) struct Place {
    pub(crate) folder: TempDir,
    pub(crate) scratchpads: Scratchpads,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self::with(Quota { bytes: 1 << 20, files: 1_000 })
    }

    pub(crate) fn with(quota: Quota) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (data, templates) = (folder.path().join("data"), vec![folder.path().join("templates")]);
        let scratchpads = Scratchpads::new(Options { data, templates, retention_ms: HOUR_MS, quota });
        Self { folder, scratchpads }
    }

    pub(crate) fn create(&self, task: &str) -> (Id, PathBuf) {
        let view = self.scratchpads.create(task_of(task), BEGIN).unwrap();
        (view.id.clone(), view.path.clone())
    }
}

pub(crate) fn task_of(task: &str) -> New {
    New { task: task.into(), ..New::default() }
}

pub(crate) fn later(ms: i64) -> Timestamp {
    Timestamp::from_ms(BEGIN.ms() + ms)
}
