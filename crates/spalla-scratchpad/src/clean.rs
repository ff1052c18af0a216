//! The janitor: removes scratchpads whose time is over, those whose making was interrupted, and those whose removal was.
//! One that somebody is in is left for the next time.

use crate::error::{Error, io};
use crate::folder::Folder;
use crate::id::Id;
use crate::lock::Held;
use crate::record::Record;
use crate::remove::remove;
use crate::scratchpads::Scratchpads;
use crate::state::{State, Step};
use crate::stats::taken_at;
use serde::Serialize;
use spalla_domain::Timestamp;
use std::fs;
use std::path::{Path, PathBuf};

/// The endings of what is known of a scratchpad; the lock goes last.
const ENDINGS: [&str; 6] = [".json.new", ".manifest.json.new", ".manifest.json", ".json", ".git", ".lock"];

/// Why one is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// Its time is over.
    Expired,
    /// Its making was interrupted.
    HalfMade,
    /// Its removal was interrupted.
    HalfRemoved,
}

/// One that is removed, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cleaned {
    /// Which.
    pub id: Id,
    /// Its folder.
    pub path: PathBuf,
    /// Why.
    pub why: Why,
    /// How many files it has.
    pub files: u64,
    /// What they take, in bytes.
    pub bytes: u64,
    /// Whether somebody is in it, so that it stays for now.
    pub is_in_use: bool,
    /// Whether it is gone.
    pub is_removed: bool,
    /// Why it could not be removed.
    pub error: Option<String>,
}

impl Scratchpads {
    /// Removes what is to go; with `only_look` it says what would be.
    pub fn clean(&self, now: Timestamp, only_look: bool) -> Result<Vec<Cleaned>, Error> {
        let mut cleaned = Vec::new();
        for id in self.ids()? {
            // What can't be read is left to a person.
            let Ok(record) = self.record(&id) else { continue };
            let Some(why) = self.why(&record, now) else { continue };
            let Some(one) = self.clean_one(&id, why, now, only_look)? else { continue };
            cleaned.push(one);
        }
        if !only_look {
            self.sweep()?;
        }
        Ok(cleaned)
    }

    fn why(&self, record: &Record, now: Timestamp) -> Option<Why> {
        if record.state == State::Expired {
            return Some(Why::HalfRemoved);
        }
        if !record.is_ready {
            return Some(Why::HalfMade);
        }
        self.ends_at(record).filter(|end| *end <= now).map(|_| Why::Expired)
    }

    fn clean_one(
        &self,
        id: &Id,
        why: Why,
        now: Timestamp,
        only_look: bool,
    ) -> Result<Option<Cleaned>, Error> {
        let path = self.path(id);
        let held = self.hold_alone(id)?.filter(|_| !is_worked_in(&path));
        let is_in_use = held.is_none();
        // One that is being made is nobody's business.
        if is_in_use && why == Why::HalfMade {
            return Ok(None);
        }
        let taken = taken_at(&path);
        let (files, bytes) = (taken.files, taken.bytes);
        let mut one =
            Cleaned { id: id.clone(), path, why, files, bytes, is_in_use, is_removed: false, error: None };
        let Some(held) = held.filter(|_| !only_look) else { return Ok(Some(one)) };
        match self.end(id, held, now) {
            Ok(false) => return Ok(None),
            Ok(true) => one.is_removed = true,
            Err(error) => one.error = Some(error.to_string()),
        }
        Ok(Some(one))
    }

    /// Removes one that is held alone; tells whether it still was to go.
    fn end(&self, id: &Id, held: Held, now: Timestamp) -> Result<bool, Error> {
        let one_after_another = self.write_lock()?;
        // Somebody may have gone on with it, or removed it, before it was held.
        let mut record = match self.record(id) {
            Err(Error::NotFound(_)) => return Ok(false),
            record => record?,
        };
        if self.why(&record, now).is_none() {
            return Ok(false);
        }
        record.state = record.state.after(Step::Expire).unwrap_or(State::Expired);
        self.write_record(&record)?;
        drop(one_after_another);
        remove_all(self, id, held, true)?;
        Ok(true)
    }

    /// Removes what is left of records without a record.
    fn sweep(&self) -> Result<(), Error> {
        let path = self.records_path();
        let Ok(folder) = Folder::open(&path) else { return Ok(()) };
        let (names, _) = folder.names(usize::MAX).map_err(io("reading", &path))?;
        let id_of = |name: &str| ENDINGS.iter().find_map(|ending| Id::parse(name.strip_suffix(ending)?).ok());
        for id in names.iter().filter_map(|name| id_of(name.to_str()?)) {
            if self.record_path(&id).symlink_metadata().is_ok() {
                continue;
            }
            let Some(held) = self.hold_alone(&id)? else { continue };
            if self.record_path(&id).symlink_metadata().is_err() {
                remove_all(self, &id, held, false)?;
            }
        }
        Ok(())
    }
}

/// Tells whether a process has its working folder there: not everybody who works in one knows of its lock.
fn is_worked_in(path: &Path) -> bool {
    let Ok(path) = path.canonicalize() else { return false };
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let folders = processes.filter_map(|process| fs::read_link(process.path().join("cwd")).ok());
    folders.into_iter().any(|folder| folder.starts_with(&path))
}

/// Removes all that there is of one that is held alone: its folder first, and what says that it has to go last.
pub(crate) fn remove_all(
    scratchpads: &Scratchpads,
    id: &Id,
    held: Held,
    with_folder: bool,
) -> Result<(), Error> {
    if with_folder {
        let path = scratchpads.path(id);
        remove(&path).map_err(io("removing", &path))?;
    }
    let records = scratchpads.records_path();
    let (rest, last) = ([".json.new", ".manifest.json.new", ".manifest.json", ".git"], [".json"]);
    for ending in rest.into_iter().chain(last) {
        let path = records.join(format!("{id}{ending}"));
        remove(&path).map_err(io("removing", &path))?;
    }
    held.remove().map_err(io("removing the lock of", &scratchpads.path(id)))
}
