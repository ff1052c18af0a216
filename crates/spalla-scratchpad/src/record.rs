//! What is known of a scratchpad, beside it: no agent writes there, so that nothing in a scratchpad says what it is.

use crate::error::{Error, io};
use crate::export::Exported;
use crate::folder::Folder;
use crate::id::Id;
use crate::manifest::Manifest;
use crate::once::Once;
use crate::scratchpads::Scratchpads;
use crate::state::State;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use spalla_crash::crash_point;
use spalla_domain::Timestamp;
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

/// The longest record, in bytes: a manifest names every file.
const RECORD_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// What is known of a scratchpad.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its name.
    pub id: Id,
    /// What it is for.
    pub task: String,
    /// How it is.
    pub state: State,
    /// The template that it was made of.
    pub template: String,
    /// The session that it belongs to.
    #[serde(default)]
    pub session: Option<String>,
    /// Who works in it.
    #[serde(default)]
    pub agent: Option<String>,
    /// What `work/` was made of.
    #[serde(default)]
    pub target: Option<Target>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its state was last changed, or what was made taken out.
    pub updated_at: Timestamp,
    /// Where to what was made was taken out last.
    #[serde(default)]
    pub exported_to: Option<String>,
    /// The wish that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_once: Option<Once>,
    /// The wish by which it was last exported, and what was answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exported_once: Option<(Once, Exported)>,
    /// Whether it was made to its end.
    pub is_ready: bool,
}

/// What `work/` was made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Its path.
    pub path: PathBuf,
    /// The commit that was checked out; none where it was a folder without git.
    #[serde(default)]
    pub commit: Option<String>,
    /// The branch that was checked out there.
    #[serde(default)]
    pub branch: Option<String>,
}

impl Scratchpads {
    /// Reads a record.
    pub(crate) fn record(&self, id: &Id) -> Result<Record, Error> {
        let path = self.record_path(id);
        let record: Option<Record> = read(&path)?;
        let record = record.ok_or_else(|| Error::NotFound(id.to_string()))?;
        if record.id == *id {
            return Ok(record);
        }
        Err(Error::Corrupt { path, reason: format!("it is the record of {}", record.id) })
    }

    /// Writes a record; half of one never stands there.
    pub(crate) fn write_record(&self, record: &Record) -> Result<(), Error> {
        self.write(&format!("{}.json", record.id), record)
    }

    /// Reads what stood in a scratchpad when it was made.
    pub(crate) fn manifest(&self, id: &Id) -> Result<Manifest, Error> {
        let path = self.manifest_path(id);
        read(&path)?.ok_or_else(|| Error::Corrupt { path, reason: "it is not there".into() })
    }

    /// Writes what stands in a new scratchpad.
    pub(crate) fn write_manifest(&self, id: &Id, manifest: &Manifest) -> Result<(), Error> {
        self.write(&format!("{id}.manifest.json"), manifest)
    }

    /// Returns the names of all records, in their order.
    pub(crate) fn ids(&self) -> Result<Vec<Id>, Error> {
        let path = self.records_path();
        let names = match Folder::open(&path) {
            Ok(folder) => folder.names(usize::MAX).map_err(io("reading", &path))?.0,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(io("reading", &path)(error)),
        };
        let ids = names.iter().filter_map(|name| Id::parse(name.to_str()?.strip_suffix(".json")?).ok());
        Ok(ids.collect())
    }

    pub(crate) fn record_path(&self, id: &Id) -> PathBuf {
        self.records_path().join(format!("{id}.json"))
    }

    pub(crate) fn manifest_path(&self, id: &Id) -> PathBuf {
        self.records_path().join(format!("{id}.manifest.json"))
    }

    fn write(&self, name: &str, value: &impl Serialize) -> Result<(), Error> {
        let path = self.records_path();
        let failed = || io("writing the record", &path);
        let text = serde_json::to_vec_pretty(value).map_err(|error| failed()(error.into()))?;
        let folder = Folder::open(&path).map_err(failed())?;
        let new = format!("{name}.new");
        folder.unlink(new.as_ref()).map_err(failed())?;
        let mut file = folder.create(new.as_ref(), 0o600).map_err(failed())?;
        crash_point!("scratchpad.record.write", file.write_all(&text)).map_err(failed())?;
        crash_point!("scratchpad.record.sync", file.sync_all()).map_err(failed())?;
        let renamed =
            crash_point!("scratchpad.record.rename", rustix::fs::renameat(&folder, &*new, &folder, name));
        renamed.and_then(|()| rustix::fs::fsync(&folder)).map_err(|errno| failed()(errno.into()))
    }
}

/// Reads a file of ours; none where there is none.
fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, Error> {
    let corrupt = |reason: String| Error::Corrupt { path: path.to_owned(), reason };
    let folder = path.parent().map(Folder::open);
    let (Some(folder), Some(name)) = (folder, path.file_name()) else { return Ok(None) };
    let file = match folder.and_then(|folder| folder.file(name)) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io("reading the record", path)(error)),
    };
    let mut text = Vec::new();
    file.take(RECORD_BYTES_MAX).read_to_end(&mut text).map_err(io("reading the record", path))?;
    serde_json::from_slice(&text).map(Some).map_err(|error| corrupt(error.to_string()))
}
