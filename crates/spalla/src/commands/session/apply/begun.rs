//! What is kept beside a session's record while its work is brought into the target: a lock, so that one process at a
//! time does it, and a note of what was begun, so that the next one can end what a killed one left half-done.

use crate::exit::Exit;
use crate::failure::{Failure, Result, file};
use crate::saved::Saved;
use crate::sessions::SessionFolder;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};
use spalla_crash::crash_point;
use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

const LOCK: &str = "apply.lock";
const NOTE: &str = "apply.json";
const INDEX: &str = "apply.index";
/// What git writes it in.
const INDEX_LOCK: &str = "apply.index.lock";

/// What was begun on a target that is a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Begun {
    /// The commit of the session's branch.
    pub(super) commit: String,
    /// What the target had checked out; none where it had no commit yet.
    pub(super) head: Option<String>,
    /// The commit that it is to have.
    pub(super) result: String,
}

/// A session that this process alone applies, until this is dropped.
#[derive(Debug)]
pub(super) struct Held {
    folder: SessionFolder,
    _lock: Flock<File>,
}

impl Held {
    /// Takes the lock; says so where another process has it.
    pub(super) fn take(folder: SessionFolder) -> Result<Self> {
        let path = folder.beside(LOCK);
        let opened = crash_point!(
            "session.apply.lock.create",
            OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path)
        );
        match Flock::lock(opened.map_err(file("writing", &path))?, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Ok(Self { folder, _lock: lock }),
            Err((_, Errno::EWOULDBLOCK)) => {
                Err(Failure::new(Exit::Stopped, "another `spalla session apply` of this session is at work")
                    .mend("wait for its end"))
            }
            Err((_, errno)) => Err(file("locking", &path)(errno.into())),
        }
    }

    /// Returns the session's folder.
    pub(super) fn folder(&self) -> &SessionFolder {
        &self.folder
    }

    /// Returns where git may keep a list of files for a moment.
    pub(super) fn index(&self) -> PathBuf {
        self.folder.beside(INDEX)
    }

    /// Returns what was begun and not ended.
    pub(super) fn begun(&self) -> Option<Begun> {
        let text = fs::read(self.folder.beside(NOTE)).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Notes what is begun.
    pub(super) fn begin(&self, begun: &Begun) -> Result<()> {
        let text = serde_json::to_vec(begun)
            .map_err(|error| Failure::failed(format!("writing what is begun: {error}")))?;
        let mut saved = Saved::begin(&self.folder.beside(NOTE))?;
        saved.write(&text)?;
        crash_point!("session.apply.note.rename", saved.finish())
    }

    /// Forgets what was begun: it has ended.
    pub(super) fn end(&self) -> Result<()> {
        self.forget_index()?;
        let path = self.folder.beside(NOTE);
        gone(crash_point!("session.apply.note.remove", fs::remove_file(&path)))
            .map_err(file("removing", &path))
    }

    /// Removes git's list of files, and what a killed git left of writing it.
    pub(super) fn forget_index(&self) -> Result<()> {
        for path in [self.index(), self.folder.beside(INDEX_LOCK)] {
            gone(crash_point!("session.apply.index.remove", fs::remove_file(&path)))
                .map_err(file("removing", &path))?;
        }
        Ok(())
    }
}

/// What is not there needs no removing.
fn gone(removed: std::io::Result<()>) -> std::io::Result<()> {
    match removed {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
