//! The registry as its users meet it: real folders, real files.

mod exports;
mod fixtures;
mod hostile;
mod incremental;
mod odd_shapes;
mod published;
mod rare_shapes;
mod readers;
mod schema;
mod serving;
mod unseen;

use spalla_registry::convert::{self, Converted, Memory};
use std::path::{Path, PathBuf};

/// When everything here was generated.
pub(crate) const AT: &str = "2026-01-02T03:04:05Z";

/// A folder of sources and one to publish into.
pub(crate) struct Rooms {
    pub(crate) root: tempfile::TempDir,
}

impl Rooms {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("agents")).unwrap();
        Self { root }
    }

    /// Rooms with the odd shapes.
    pub(crate) fn odd() -> Self {
        let rooms = Self::new();
        fixtures::write(&rooms.source());
        rooms
    }

    pub(crate) fn source(&self) -> PathBuf {
        self.root.path().join("agents")
    }

    pub(crate) fn out(&self) -> PathBuf {
        self.root.path().join("codex/agents")
    }

    pub(crate) fn converted(&self) -> Converted {
        converted(&self.source(), 2, AT)
    }

    pub(crate) fn publish(&self, at: &str) -> spalla_registry::publish::Changes {
        spalla_registry::publish::publish(&converted(&self.source(), 1, at).files, &self.out()).unwrap()
    }
}

pub(crate) fn converted(source: &Path, jobs: usize, at: &str) -> Converted {
    let mut memory = Memory::default();
    let sources = convert::read(source, None, jobs, &mut memory).unwrap();
    convert::convert(&sources, at, jobs, &mut memory)
}
