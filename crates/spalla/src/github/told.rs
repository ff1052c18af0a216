//! What was told to GitHub about a session, beside its record: so that it is changed in its place and never told twice.

use crate::failure::Result;
use crate::saved::Saved;
use crate::sessions::SessionFolder;
use serde::{Deserialize, Serialize};

/// The file, in a session's folder.
const FILE: &str = "github.json";

/// What was told.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Told {
    /// The repository.
    pub(crate) repository: String,
    /// The pull request's number.
    pub(crate) number: Option<u64>,
    /// The pull request's page.
    pub(crate) url: Option<String>,
    /// The commit that was pushed.
    pub(crate) commit: Option<String>,
}

impl Told {
    /// Reads it; nothing was told where nothing can be read.
    pub(crate) fn read(folder: &SessionFolder) -> Self {
        let text = std::fs::read_to_string(folder.beside(FILE)).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Writes it.
    pub(crate) fn write(&self, folder: &SessionFolder) -> Result<()> {
        let mut saved = Saved::begin(&folder.beside(FILE))?;
        saved.write(serde_json::to_string_pretty(self).unwrap_or_default().as_bytes())?;
        saved.finish()
    }
}
