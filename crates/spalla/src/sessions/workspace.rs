//! The folder of a session: its report, its log, and the reports of its items.

use crate::cli::absolute;
use crate::config::Settings;
use crate::data_folder::DataFolder;
use crate::failure::{Result, file};
use crate::session_log::SessionLog;
use spalla_crash::crash_point;
use spalla_domain::session::Session;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The folder of a session.
#[derive(Debug)]
pub(crate) struct Workspace {
    path: PathBuf,
}

impl Workspace {
    /// Makes the folder that the settings name, or the session's own in the data folder.
    pub(crate) fn make(settings: &Settings, session: &str) -> Result<Self> {
        match Self::make_named(settings)? {
            Some(named) => Ok(named),
            None => Self::at(DataFolder::at(&settings.data).folder("workspace")?.join(session)),
        }
    }

    /// Makes the folder that the settings name; none where they name none.
    pub(crate) fn make_named(settings: &Settings) -> Result<Option<Self>> {
        match settings.orchestrate.workspace.as_str() {
            "" => Ok(None),
            named => Self::at(absolute(Path::new(named))?).map(Some),
        }
    }

    fn at(path: PathBuf) -> Result<Self> {
        crash_point!("orchestrate.workspace.create", fs::create_dir_all(&path))
            .map_err(file("making the workspace", &path))?;
        Ok(Self { path })
    }

    /// Names the folder that a session has already.
    pub(crate) fn of(session: &Session) -> Self {
        Self { path: PathBuf::from(&session.workspace) }
    }

    /// Returns the folder.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the session's log; what it holds stays.
    pub(crate) fn open_log(&self, log: &SessionLog) -> Result<()> {
        let path = self.path.join("orchestrator.log");
        let opened = crash_point!(
            "orchestrate.workspace.log.create",
            OpenOptions::new().create(true).append(true).mode(0o600).open(&path)
        );
        log.open(&path, opened.map_err(file("writing", &path))?);
        Ok(())
    }

    /// Writes a file of the session.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.path.join(name);
        crash_point!("orchestrate.workspace.file.write", fs::write(&path, text))
            .map_err(file("writing", &path))?;
        Ok(path)
    }

    /// Makes a folder in the session's.
    pub(crate) fn folder(&self, name: &str) -> Result<PathBuf> {
        let path = self.path.join(name);
        crash_point!("orchestrate.workspace.folder.create", fs::create_dir_all(&path))
            .map_err(file("making", &path))?;
        Ok(path)
    }
}
