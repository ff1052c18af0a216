//! The folder of a session: its report, its log, and the reports of its items.

use crate::cli::absolute;
use crate::clock::stamp;
use crate::config::Settings;
use crate::data_folder::DataFolder;
use crate::failure::{Failure, Result, file};
use spalla_crash::crash_point;
use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// How many sessions may begin in one second before the name of a folder can't be made.
const SAME_SECOND_MAX: u32 = 100;

/// The folder of a session.
#[derive(Debug)]
pub(crate) struct Workspace {
    path: PathBuf,
}

impl Workspace {
    /// Makes the folder that the settings name, or a new one in the data folder.
    pub(crate) fn make(settings: &Settings) -> Result<Self> {
        if !settings.orchestrate.workspace.is_empty() {
            let path = absolute(Path::new(&settings.orchestrate.workspace))?;
            crash_point!("orchestrate.workspace.named.create", fs::create_dir_all(&path))
                .map_err(file("making the workspace", &path))?;
            return Ok(Self { path });
        }
        let sessions = DataFolder::at(&settings.data).folder("workspace")?;
        let name = format!("orch_{}", stamp());
        for number in 1..=SAME_SECOND_MAX {
            let suffix = if number == 1 { String::new() } else { format!("_{number}") };
            let path = sessions.join(format!("{name}{suffix}"));
            match crash_point!("orchestrate.workspace.new.create", fs::create_dir(&path)) {
                Ok(()) => return Ok(Self { path }),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(file("making the workspace", &path)(error)),
            }
        }
        Err(Failure::failed(format!("too many sessions begin in {} at the same time", sessions.display())))
    }

    /// Returns the folder.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the session's id: the folder's name.
    pub(crate) fn session(&self) -> String {
        self.path.file_name().map_or_else(|| "session".into(), |name| name.to_string_lossy().into_owned())
    }

    /// Opens the session's log file; what it holds stays.
    pub(crate) fn log_file(&self) -> Result<File> {
        let path = self.path.join("orchestrator.log");
        let opened = crash_point!(
            "orchestrate.workspace.log.create",
            OpenOptions::new().create(true).append(true).mode(0o600).open(&path)
        );
        opened.map_err(file("writing", &path))
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
