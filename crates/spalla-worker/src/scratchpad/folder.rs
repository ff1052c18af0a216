//! Folders that only their owner may enter, and their removal, which never follows a link out.

use spalla_crash::crash_point;
use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The mode of every folder that the worker makes.
const FOLDER_MODE: u32 = 0o700;

/// Makes a folder and those above it.
pub(super) fn make(path: &Path) -> io::Result<()> {
    crash_point!("worker.folder.create", DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(path))
}

/// Returns what is in a folder; nothing when it is not there.
pub(super) fn entries(path: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(path) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect(),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Removes whatever is at the path; nothing there is fine. Folders that forbid their owner to write, as package
/// caches like to, are opened first.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    let kind = match fs::symlink_metadata(path) {
        Ok(found) => found.file_type(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !kind.is_dir() {
        return crash_point!("worker.scratchpad.file.remove", fs::remove_file(path));
    }
    match remove_tree(path) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            open_folders(path)?;
            remove_tree(path)
        }
        other => other,
    }
}

fn remove_tree(path: &Path) -> io::Result<()> {
    crash_point!("worker.scratchpad.tree.remove", fs::remove_dir_all(path))
}

/// Lets the owner into every folder beneath; a link is no folder here.
fn open_folders(path: &Path) -> io::Result<()> {
    let mut next = vec![path.to_owned()];
    while let Some(folder) = next.pop() {
        fs::set_permissions(&folder, Permissions::from_mode(FOLDER_MODE))?;
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                next.push(entry.path());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn removal_follows_no_link_and_opens_what_is_closed() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("precious"), "x").unwrap();
        let inside = tempfile::tempdir().unwrap();
        let top = inside.path().join("top");
        make(&top.join("a/b")).unwrap();
        symlink(outside.path(), top.join("a/link")).unwrap();
        symlink(outside.path().join("precious"), top.join("file-link")).unwrap();
        fs::write(top.join("a/b/file"), "x").unwrap();
        fs::set_permissions(top.join("a/b"), Permissions::from_mode(0o500)).unwrap();
        fs::set_permissions(top.join("a"), Permissions::from_mode(0o000)).unwrap();
        remove(&top).unwrap();
        assert!(!top.exists());
        assert!(outside.path().join("precious").exists());
        remove(&top).unwrap();
    }

    #[test]
    fn a_link_is_removed_and_not_what_it_points_to() {
        let folder = tempfile::tempdir().unwrap();
        make(&folder.path().join("real")).unwrap();
        symlink(folder.path().join("real"), folder.path().join("link")).unwrap();
        remove(&folder.path().join("link")).unwrap();
        assert_eq!(entries(folder.path()).unwrap(), [folder.path().join("real")]);
    }

    #[test]
    fn a_folder_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b");
        make(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(entries(&folder.path().join("none")).unwrap(), Vec::<PathBuf>::new());
    }
}
