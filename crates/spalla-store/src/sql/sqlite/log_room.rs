//! Room in SQLite's write-ahead log. A commit that makes the file longer has the file system write down its new length
//! as well, which on ext4 is a commit of its own journal: as long again as the commit itself. So the log is made longer
//! in steps, by zeros, and commits overwrite what is there. To SQLite zeros are the end of the log: no frame has page
//! number 0 (<https://sqlite.org/fileformat2.html#walformat>). Once it starts again from its beginning, it fits.

use super::file::DatabaseFile;
use spalla_crash::crash_point;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

/// A log shorter than this belongs to somebody who writes little.
const SHORT: u64 = 256 * 1024;
/// How much longer it is made at once, in bytes.
const STEP: u64 = 1024 * 1024;
/// A log of 4,000 pages, which is when it goes back into the database, is not longer.
const LONG: u64 = 17 * STEP;
/// What is written.
static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];

/// The log of a connection that writes.
#[derive(Debug)]
pub(super) struct LogRoom {
    path: PathBuf,
    log: Option<File>,
    /// As long as the log is no longer, commits go into what was made ready.
    end: u64,
}

impl LogRoom {
    /// Makes it for a database.
    pub(super) fn of(file: &DatabaseFile) -> Self {
        let mut path = file.path().as_os_str().to_owned();
        path.push("-wal");
        Self { path: path.into(), log: None, end: SHORT }
    }

    /// Makes the log longer where the last commit had to. It is about speed alone, so that whoever can't goes on without.
    pub(super) fn keep(&mut self) {
        if let Err(error) = self.try_keep() {
            tracing::debug!(%error, "the log is not made longer ahead");
            self.end = u64::MAX;
        }
    }

    fn try_keep(&mut self) -> io::Result<()> {
        if self.end >= LONG {
            return Ok(());
        }
        let log = match &self.log {
            Some(log) => log,
            None => self.log.insert(crash_point!(
                "store.sqlite.log_room.open",
                OpenOptions::new().write(true).open(&self.path)
            )?),
        };
        let length = log.metadata()?.len();
        if length <= self.end {
            return Ok(());
        }
        self.end = length + STEP;
        let mut steps = (length..self.end).step_by(ZEROS.len());
        crash_point!("store.sqlite.log_room.extend", steps.try_for_each(|at| log.write_all_at(&ZEROS, at)))
    }
}
