//! Removes whatever is at a path: it never follows a link out, and takes whatever a run made: folders without end, closed
//! ones, pipes, files with holes.

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, chmod, fstat, openat, renameat, statat, unlinkat,
};
use rustix::io::Errno;
use spalla_crash::crash_point;
use std::ffi::{CStr, CString};
use std::fs;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// What an owner may do with a folder that can be emptied.
const OWNERS: u32 = 0o700;

/// Removes whatever is at the path; nothing there is fine. What was begun is gone on with by the next call.
pub fn remove(path: &Path) -> io::Result<()> {
    let kind = match fs::symlink_metadata(path) {
        Ok(found) => found.file_type(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    crash_point!(
        "scratchpad.tree.remove",
        if kind.is_dir() { remove_tree(path) } else { fs::remove_file(path) }
    )
}

/// Removes a folder with all that is in it. However deep it is, two folders are open at a time: what lies two levels
/// down is first moved one up.
fn remove_tree(path: &Path) -> io::Result<()> {
    let top = CString::new(path.as_os_str().as_bytes())?;
    let folder = open(CWD, &top)?;
    let mut moved = 0_u64;
    loop {
        let names = empty_of_files(&folder)?;
        if names.is_empty() {
            break;
        }
        for name in names {
            if !remove_empty(&folder, &name)? {
                raise(&folder, &name, &mut moved)?;
            }
        }
    }
    drop(folder);
    crash_point!("scratchpad.tree.top.remove", fs::remove_dir(path))
}

/// Removes everything in a folder but folders, and returns their names.
fn empty_of_files(folder: &OwnedFd) -> io::Result<Vec<CString>> {
    let mut folders = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        // Not every file system says the type in the list.
        let kind = match entry.file_type() {
            FileType::Unknown => {
                FileType::from_raw_mode(statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?.st_mode)
            }
            kind => kind,
        };
        if kind == FileType::Directory {
            folders.push(name.to_owned());
        } else {
            gone(unlinkat(folder, name, AtFlags::empty()))?;
        }
    }
    Ok(folders)
}

/// Removes a folder if it is empty; tells whether it was.
fn remove_empty(folder: &OwnedFd, name: &CStr) -> io::Result<bool> {
    match unlinkat(folder, name, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => Ok(true),
        Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Empties a folder: moves the folders in it up beside it, under names that nobody else has, and removes it.
fn raise(above: &OwnedFd, name: &CStr, moved: &mut u64) -> io::Result<()> {
    let folder = open(above, name)?;
    for inner in empty_of_files(&folder)? {
        if remove_empty(&folder, &inner)? {
            continue;
        }
        // A folder that is moved has to be one that may be written.
        drop(open(&folder, &inner)?);
        loop {
            *moved += 1;
            let new = CString::new(format!("spalla-removed-{moved}"))?;
            match statat(above, &*new, AtFlags::SYMLINK_NOFOLLOW) {
                Err(Errno::NOENT) => {
                    renameat(&folder, &*inner, above, &*new)?;
                    break;
                }
                Ok(_) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    drop(folder);
    gone(unlinkat(above, name, AtFlags::REMOVEDIR))
}

/// Opens a folder, and lets its owner in first. It is the folder itself that is opened to its owner, never what a link
/// leads to that somebody put in its place meanwhile.
fn open(above: impl AsFd, name: &CStr) -> io::Result<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let found = openat(above, name, flags | OFlags::PATH, Mode::empty())?;
    let itself = format!("/proc/self/fd/{}", found.as_raw_fd());
    if fstat(&found)?.st_mode & OWNERS != OWNERS {
        chmod(&*itself, Mode::RWXU)?;
    }
    Ok(openat(&found, c".", flags | OFlags::RDONLY, Mode::empty())?)
}

fn gone(removed: Result<(), Errno>) -> io::Result<()> {
    match removed {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{mkdirat, mknodat};
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn removal_follows_no_link_and_opens_what_is_closed() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("precious"), "x").unwrap();
        fs::set_permissions(outside.path(), Permissions::from_mode(0o500)).unwrap();
        let inside = tempfile::tempdir().unwrap();
        let top = inside.path().join("top");
        fs::create_dir_all(top.join("a/b")).unwrap();
        symlink(outside.path(), top.join("a/link")).unwrap();
        symlink(outside.path().join("precious"), top.join("file-link")).unwrap();
        fs::write(top.join("a/b/file"), "x").unwrap();
        mknodat(CWD, top.join("a/b/pipe"), FileType::Fifo, Mode::RUSR, 0).unwrap();
        fs::File::create(top.join("a/sparse")).unwrap().set_len(1 << 40).unwrap();
        fs::set_permissions(top.join("a/b"), Permissions::from_mode(0o500)).unwrap();
        fs::set_permissions(top.join("a"), Permissions::from_mode(0o000)).unwrap();
        remove(&top).unwrap();
        assert!(!top.exists());
        assert!(outside.path().join("precious").exists());
        let mode = fs::metadata(outside.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o500);
        remove(&top).unwrap();
    }

    #[test]
    fn folders_without_end_are_removed() {
        let place = tempfile::tempdir().unwrap();
        let top = place.path().join("top");
        fs::create_dir(&top).unwrap();
        let mut folder = open(CWD, &CString::new(top.as_os_str().as_bytes()).unwrap()).unwrap();
        for _ in 0..3_000 {
            mkdirat(&folder, c"spalla-removed-7", Mode::RWXU).unwrap();
            mkdirat(&folder, c"beside", Mode::empty()).unwrap();
            folder = open(&folder, c"spalla-removed-7").unwrap();
        }
        drop(folder);
        remove(&top).unwrap();
        assert!(!top.exists());
    }

    #[test]
    fn a_link_is_removed_and_not_what_it_points_to() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("real")).unwrap();
        symlink(folder.path().join("real"), folder.path().join("link")).unwrap();
        remove(&folder.path().join("link")).unwrap();
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(left, [folder.path().join("real")]);
    }

    #[test]
    fn no_link_is_opened_to_its_owner() {
        let (outside, inside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::set_permissions(outside.path(), Permissions::from_mode(0o000)).unwrap();
        symlink(outside.path(), inside.path().join("link")).unwrap();
        let folder = open(CWD, &CString::new(inside.path().as_os_str().as_bytes()).unwrap()).unwrap();
        assert!(open(&folder, c"link").is_err());
        assert_eq!(fs::metadata(outside.path()).unwrap().permissions().mode() & 0o777, 0);
    }
}
