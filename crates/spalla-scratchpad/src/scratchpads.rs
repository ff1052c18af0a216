//! The scratchpads of a data folder: which there are, how each is, and the steps from one state to the next.

use crate::changes::Changes;
use crate::error::{Error, io};
use crate::folder::Folder;
use crate::id::Id;
use crate::manifest::Manifest;
use crate::record::Record;
use crate::state::{State, Step};
use serde::Serialize;
use spalla_domain::Timestamp;
use std::path::PathBuf;

/// The folder of all of them, in the data folder.
const FOLDER: &str = "scratchpad";
/// The folder of what is known of them, which no agent writes.
pub(crate) const RECORDS: &str = ".records";

/// How much a scratchpad may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Bytes.
    pub bytes: u64,
    /// Files.
    pub files: u64,
}

/// What scratchpads are made with.
#[derive(Debug, Clone)]
pub struct Options {
    /// The data folder.
    pub data: PathBuf,
    /// The folders in which templates are looked for, the first first.
    pub templates: Vec<PathBuf>,
    /// How long one is kept after it was last changed, in milliseconds.
    pub retention_ms: i64,
    /// How much each may have.
    pub quota: Quota,
}

/// The scratchpads of a data folder.
#[derive(Debug, Clone)]
pub struct Scratchpads {
    options: Options,
    root: PathBuf,
}

/// A scratchpad as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct View {
    /// What is known of it; its state is how it is now.
    #[serde(flatten)]
    pub record: Record,
    /// Its folder.
    pub path: PathBuf,
    /// When the janitor removes it; none where it stays.
    pub expires_at: Option<Timestamp>,
}

impl std::ops::Deref for View {
    type Target = Record;

    fn deref(&self) -> &Record {
        &self.record
    }
}

impl Scratchpads {
    /// Names the scratchpads of a data folder; touches nothing.
    pub fn new(options: Options) -> Self {
        let root = options.data.join(FOLDER);
        Self { options, root }
    }

    /// Returns all of them, the newest first, and why some can't be read.
    pub fn list(&self, now: Timestamp) -> Result<(Vec<View>, Vec<Error>), Error> {
        let (mut views, mut errors) = (Vec::new(), Vec::new());
        for id in self.ids()? {
            match self.record(&id) {
                Ok(record) if record.is_ready => views.push(self.view(record, now)),
                Ok(_) | Err(Error::NotFound(_)) => {}
                Err(error) => errors.push(error),
            }
        }
        views.sort_by(|one, other| (other.created_at, &other.id).cmp(&(one.created_at, &one.id)));
        Ok((views, errors))
    }

    /// Shows one.
    pub fn show(&self, id: &Id, now: Timestamp) -> Result<View, Error> {
        let record = self.record(id)?;
        if record.is_ready { Ok(self.view(record, now)) } else { Err(Error::NotFound(id.to_string())) }
    }

    /// Takes a step, and shows what came of it. The same step twice is the same as once.
    pub fn step(&self, id: &Id, step: Step, now: Timestamp) -> Result<View, Error> {
        self.change(id, step, now, |_| {})
    }

    /// Says what was made in one since it was made itself.
    pub fn changes(&self, id: &Id, now: Timestamp) -> Result<Changes, Error> {
        let _held = self.hold(id)?;
        let view = self.show(id, now)?;
        let before = self.manifest(id)?;
        let failed = io("looking through", &view.path);
        let after = Folder::open(&view.path).and_then(|top| Manifest::of(&top)).map_err(failed)?;
        Ok(Changes::between(&before, &after))
    }

    /// Takes a step and changes the record with it.
    pub(crate) fn change(
        &self,
        id: &Id,
        step: Step,
        now: Timestamp,
        change: impl FnOnce(&mut Record),
    ) -> Result<View, Error> {
        let _one_after_another = if self.record(id)?.is_ready {
            self.write_lock()?
        } else {
            return Err(Error::NotFound(id.to_string()));
        };
        let mut record = self.record(id)?;
        let state = record.state.after(step).ok_or_else(|| {
            let (state, verb) = (record.state.as_str(), step.as_str());
            Error::Conflict(format!("the scratchpad {id} is {state} and can't be {verb}"))
        })?;
        if state != record.state || matches!(step, Step::Export | Step::Resume) {
            record.state = state;
            record.updated_at = now;
            change(&mut record);
            self.write_record(&record)?;
        }
        Ok(self.view(record, now))
    }

    /// Returns how much each may have.
    pub(crate) const fn quota(&self) -> Quota {
        self.options.quota
    }

    pub(crate) const fn options(&self) -> &Options {
        &self.options
    }

    /// Returns the folder of all of them.
    pub fn root(&self) -> &std::path::Path {
        &self.root
    }

    /// Returns the folder of one.
    pub fn path(&self, id: &Id) -> PathBuf {
        self.root.join(id.as_str())
    }

    /// Returns git's own side of `work/`.
    pub fn repository(&self, id: &Id) -> PathBuf {
        self.records_path().join(format!("{id}.git"))
    }

    pub(crate) fn records_path(&self) -> PathBuf {
        self.root.join(RECORDS)
    }

    /// Returns when the time of one is over; none where it stays.
    pub(crate) fn ends_at(&self, record: &Record) -> Option<Timestamp> {
        let end = record.updated_at.ms().saturating_add(self.options.retention_ms);
        record.state.ends_with_time().then(|| Timestamp::from_ms(end))
    }

    pub(crate) fn view(&self, mut record: Record, now: Timestamp) -> View {
        let expires_at = self.ends_at(&record);
        if expires_at.is_some_and(|end| end <= now) {
            record.state = State::Expired;
        }
        View { path: self.path(&record.id), record, expires_at }
    }
}
