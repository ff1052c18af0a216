//! Who is in a scratchpad. Whoever works in one holds its lock together with others; who removes it holds it alone. The
//! system lets go of it when a process dies.

use crate::error::{Error, io};
use crate::id::Id;
use crate::scratchpads::Scratchpads;
use rustix::fs::{Mode, OFlags, openat};
use spalla_crash::crash_point;
use std::fs::{File, TryLockError};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// How often a lock is opened anew that was removed while it was being taken.
const TRIES_MAX: usize = 10;

/// A scratchpad that is in use until this is dropped: nobody removes it meanwhile.
#[derive(Debug)]
pub struct Held {
    file: File,
    path: PathBuf,
}

impl Held {
    /// Removes the lock itself, by whoever holds it alone.
    pub(crate) fn remove(self) -> std::io::Result<()> {
        crash_point!("scratchpad.lock.remove", std::fs::remove_file(&self.path))
    }

    /// Tells whether the file still stands at its path.
    fn stands(&self) -> bool {
        let (Ok(held), Ok(there)) = (self.file.metadata(), std::fs::symlink_metadata(&self.path)) else {
            return false;
        };
        held.ino() == there.ino() && held.dev() == there.dev()
    }
}

impl Scratchpads {
    /// Holds a scratchpad: nobody removes it until what comes back is dropped.
    pub fn hold(&self, id: &Id) -> Result<Held, Error> {
        self.record(id)?;
        let held = self.lock(id, File::try_lock_shared)?;
        let held =
            held.ok_or_else(|| Error::Conflict(format!("the scratchpad {id} is being made or removed")))?;
        // It may have been removed before it was held.
        self.record(id)?;
        Ok(held)
    }

    /// Holds a scratchpad alone; none where somebody is in it.
    pub(crate) fn hold_alone(&self, id: &Id) -> Result<Option<Held>, Error> {
        self.lock(id, File::try_lock)
    }

    /// Lets records be written one after another.
    pub(crate) fn write_lock(&self) -> Result<File, Error> {
        let path = self.records_path().join("lock");
        let file = open(&path)?;
        file.lock().map_err(io("locking", &path))?;
        Ok(file)
    }

    fn lock(&self, id: &Id, take: fn(&File) -> Result<(), TryLockError>) -> Result<Option<Held>, Error> {
        let path = self.records_path().join(format!("{id}.lock"));
        for _ in 0..TRIES_MAX {
            let held = Held { file: open(&path)?, path: path.clone() };
            match take(&held.file) {
                Ok(()) if held.stands() => return Ok(Some(held)),
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(io("locking", &path)(error)),
            }
        }
        Ok(None)
    }
}

/// Opens a file that is locked, made where it is missing.
pub(crate) fn open(path: &Path) -> Result<File, Error> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let closed = Mode::from_raw_mode(0o600);
    let opened = crash_point!("scratchpad.lock.create", openat(rustix::fs::CWD, path, flags, closed));
    opened.map(File::from).map_err(|errno| io("opening", path)(errno.into()))
}
