//! What is known of the issues of a repository, in a file of the data folder.

use crate::data_folder::DataFolder;
use crate::failure::{Failure, Result, file};
use crate::github::Repository;
use crate::saved::Saved;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The folder, in the data folder.
const FOLDER: &str = "github";
/// How many issues that are over are remembered; a session that was begun is found by its key without that.
const OVER_MAX: usize = 1_000;

/// What is known.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Kept {
    #[serde(skip)]
    path: PathBuf,
    /// The issues, by their numbers.
    pub(super) issues: BTreeMap<u64, Entry>,
}

/// What is known of one.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Entry {
    /// What makes our comments ours.
    pub(super) nonce: String,
    /// Its session.
    pub(super) session: Option<String>,
    /// Why it has none.
    pub(super) refused: Option<String>,
    /// Whether that was found out by this process: after a start it is tried again.
    #[serde(skip)]
    pub(super) is_refused_now: bool,
    /// Our comments, by what they are about.
    pub(super) comments: BTreeMap<String, Comment>,
    /// Whether there is nothing more to tell.
    pub(super) is_over: bool,
}

/// A comment of ours.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Comment {
    /// Its id.
    pub(super) id: Option<u64>,
    /// What it says.
    pub(super) text: String,
}

impl Kept {
    /// Reads it; nothing is known where there is no file.
    pub(super) fn read(data: &Path, repository: &Repository) -> Result<Self> {
        let name = repository.to_string().replace('/', "+").to_lowercase();
        let path = DataFolder::at(data).folder(FOLDER)?.join(format!("{name}.json"));
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self { path, ..Self::default() }),
            Err(error) => return Err(file("reading", &path)(error)),
        };
        let kept: Self = serde_json::from_str(&text)
            .map_err(|error| Failure::failed(format!("{} can't be read: {error}", path.display())))?;
        Ok(Self { path, ..kept })
    }

    /// Writes it; half of it never stands there.
    pub(super) fn write(&mut self) -> Result<()> {
        let over: Vec<u64> =
            self.issues.iter().filter(|(_, entry)| entry.is_over).map(|(number, _)| *number).collect();
        for number in &over[..over.len().saturating_sub(OVER_MAX)] {
            self.issues.remove(number);
        }
        let text = serde_json::to_string_pretty(self)
            .map_err(|error| Failure::failed(format!("writing {}: {error}", self.path.display())))?;
        let mut saved = Saved::begin(&self.path)?;
        saved.write(text.as_bytes())?;
        saved.finish()
    }
}
