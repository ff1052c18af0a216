//! The database's file: made for its owner alone, and watched, because a file that was removed while it is open takes
//! every write without a word.

use crate::error::StoreError;
use crate::tx::Result;
use spalla_crash::crash_point;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Readable and writable for its owner; SQLite gives the same to the files beside it.
const MODE: u32 = 0o600;

/// A file that exists, and which one it was.
#[derive(Debug, Clone)]
pub(super) struct DatabaseFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl DatabaseFile {
    /// Finds the file, or makes an empty one, which is an empty database.
    pub(super) fn find_or_make(path: &Path) -> Result<Self> {
        let made = crash_point!(
            "store.sqlite.file.create",
            OpenOptions::new().write(true).create_new(true).mode(MODE).open(path)
        );
        match made {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(unusable(path, &error)),
            _ => {}
        }
        // The whole path keeps its meaning whatever becomes of the working directory, and is never taken for one of
        // SQLite's special names.
        let path = fs::canonicalize(path).map_err(|error| unusable(path, &error))?;
        let data = fs::metadata(&path).map_err(|error| unusable(&path, &error))?;
        if !data.is_file() {
            let path = path.display();
            return Err(StoreError::Configuration(format!(
                "opening {path}: it is no file; name a file in it"
            )));
        }
        Ok(Self { device: data.dev(), inode: data.ino(), path })
    }

    /// Returns the whole path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Fails when the file is not the one any more that was opened.
    pub(super) fn check_present(&self) -> Result<()> {
        match fs::metadata(&self.path) {
            Ok(data) if data.dev() == self.device && data.ino() == self.inode => Ok(()),
            _ => Err(self.gone()),
        }
    }

    /// Says that the file vanished.
    pub(super) fn gone(&self) -> StoreError {
        let path = self.path.display();
        let detail =
            format!("{path} was removed or replaced while it was in use; put it back, or restart the server");
        StoreError::Unavailable { detail }
    }
}

fn unusable(path: &Path, error: &io::Error) -> StoreError {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (path, folder) = (path.display(), folder.display());
    match error.kind() {
        ErrorKind::NotFound => {
            StoreError::Configuration(format!("opening {path}: the folder {folder} does not exist; make it"))
        }
        ErrorKind::PermissionDenied => StoreError::Configuration(format!(
            "opening {path}: permission denied; let the server's user read and write the file and {folder}"
        )),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            StoreError::Full { detail: format!("making {path}: {error}; make room on the disk") }
        }
        ErrorKind::ReadOnlyFilesystem => StoreError::ReadOnly {
            detail: format!("making {path}: {error}; name a path on another file system"),
        },
        _ => StoreError::Configuration(format!("opening {path}: {error}")),
    }
}
