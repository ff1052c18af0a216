//! Folders that only their owner may enter.

use spalla_crash::crash_point;
use std::fs::{self, DirBuilder};
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// The mode of every folder that the worker makes.
const FOLDER_MODE: u32 = 0o700;

/// Makes a folder and those above it.
pub(super) fn make(path: &Path) -> io::Result<()> {
    crash_point!("worker.folder.create", DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(path))
}

/// Writes a file of the worker's own beneath a folder that it just made.
pub(super) fn write(path: &Path, text: &str) -> io::Result<()> {
    path.parent().map_or(Ok(()), make)?;
    crash_point!("worker.scratchpad.alternates.write", fs::write(path, text))
}

/// Gives something another place on the same disk.
pub(super) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    crash_point!("worker.folder.rename", fs::rename(from, to))
}

/// Returns what is in a folder; nothing when it is not there.
pub(super) fn entries(path: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(path) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect(),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_folder_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b");
        make(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(entries(&folder.path().join("none")).unwrap(), Vec::<PathBuf>::new());
    }
}
