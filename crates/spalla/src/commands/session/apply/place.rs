//! A folder, and what stands beneath it: paths are walked part by part, and no symbolic link is followed on the way, also
//! where somebody changes the folder meanwhile.

use crate::commands::session::change::{Name, folders_above};
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstatat, mkdirat};
use nix::unistd::{UnlinkatFlags, unlinkat};
use spalla_crash::crash_point;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

/// The names that a folder keeps for git or for itself: nothing of a session goes there.
const KEPT: [&[u8]; 5] = [b"", b".", b"..", b".git", b"git~1"];

/// A folder that is worked beneath.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    top: File,
}

/// What stands at a path.
#[derive(Debug)]
pub(super) enum Seen {
    /// Nothing.
    Nothing,
    /// Nothing can: this folder above it is none.
    Blocked(Name),
    /// A file.
    File(FileStat),
    /// A symbolic link.
    Link(FileStat),
    /// A folder.
    Folder,
    /// Something else, such as a socket.
    Other,
}

/// How far a path leads.
enum Reached {
    Folder(OwnedFd),
    Missing,
    Blocked(Name),
}

impl Place {
    /// Opens the folder.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), top: File::open(path)? })
    }

    /// Returns the folder itself.
    pub(super) fn top(&self) -> &File {
        &self.top
    }

    /// Looks at what stands at a path.
    pub(super) fn see(&self, path: &[u8]) -> io::Result<Seen> {
        let folder = match self.above(path)? {
            Reached::Folder(folder) => folder,
            Reached::Missing => return Ok(Seen::Nothing),
            Reached::Blocked(by) => return Ok(Seen::Blocked(by)),
        };
        let stat = match fstatat(&folder, last(path), AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::ENOENT) => return Ok(Seen::Nothing),
            Err(errno) => return Err(errno.into()),
        };
        Ok(match SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT {
            SFlag::S_IFREG => Seen::File(stat),
            SFlag::S_IFLNK => Seen::Link(stat),
            SFlag::S_IFDIR => Seen::Folder,
            _ => Seen::Other,
        })
    }

    /// Opens a regular file for reading.
    pub(super) fn file(&self, path: &[u8]) -> io::Result<File> {
        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
        let file = File::from(openat(&self.parent(path)?, last(path), flags, Mode::empty())?);
        if file.metadata()?.is_file() { Ok(file) } else { Err(io::ErrorKind::InvalidInput.into()) }
    }

    /// Returns where a symbolic link leads.
    pub(super) fn link(&self, path: &[u8]) -> io::Result<Vec<u8>> {
        Ok(nix::fcntl::readlinkat(&self.parent(path)?, last(path))?.into_vec())
    }

    /// Returns what is in a folder, at every depth: everything but folders, and folders without anything in them.
    pub(super) fn beneath(&self, path: &[u8]) -> io::Result<Vec<Name>> {
        let mut open = vec![path.to_vec()];
        let mut found = Vec::new();
        while let Some(next) = open.pop() {
            let mut is_empty = true;
            for entry in fs::read_dir(self.path.join(OsStr::from_bytes(&next)))? {
                let entry = entry?;
                is_empty = false;
                let name = [&next, &b"/"[..], entry.file_name().as_bytes()].concat();
                if entry.file_type()?.is_dir() { open.push(name) } else { found.push(name) }
            }
            if is_empty && next != path {
                found.push(next);
            }
        }
        Ok(found)
    }

    /// Opens the folder above a path.
    pub(super) fn parent(&self, path: &[u8]) -> io::Result<OwnedFd> {
        match self.above(path)? {
            Reached::Folder(folder) => Ok(folder),
            Reached::Missing => Err(io::ErrorKind::NotFound.into()),
            Reached::Blocked(_) => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    /// Opens the folder above a path; what is missing of it is made.
    pub(super) fn make_parent(&self, path: &[u8]) -> io::Result<OwnedFd> {
        let mut at = OwnedFd::from(self.top.try_clone()?);
        for folder in folders_above(path) {
            let name = last(folder);
            let made = crash_point!(
                "session.apply.folder.create",
                mkdirat(&at, name, Mode::from_bits_truncate(0o777))
            );
            match made {
                Ok(()) | Err(Errno::EEXIST) => at = openat(&at, name, folder_flags(), Mode::empty())?,
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(at)
    }

    /// Removes what stands at a path, unless it is a folder.
    pub(super) fn remove(&self, path: &[u8]) -> io::Result<()> {
        let folder = self.parent(path)?;
        let removed = crash_point!(
            "session.apply.file.remove",
            unlinkat(&folder, last(path), UnlinkatFlags::NoRemoveDir)
        );
        Ok(removed?)
    }

    /// Removes the folders above a path, from the lowest one on, as long as nothing is in them.
    pub(super) fn remove_empty_above(&self, path: &[u8]) -> io::Result<()> {
        for folder in folders_above(path).rev() {
            let above = match self.above(folder)? {
                Reached::Folder(above) => above,
                Reached::Missing => continue,
                Reached::Blocked(_) => return Ok(()),
            };
            let removed = crash_point!(
                "session.apply.folder.remove",
                unlinkat(&above, last(folder), UnlinkatFlags::RemoveDir)
            );
            match removed {
                Ok(()) | Err(Errno::ENOENT) => {}
                Err(Errno::ENOTEMPTY | Errno::EEXIST | Errno::ENOTDIR | Errno::EBUSY) => return Ok(()),
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(())
    }

    fn above(&self, path: &[u8]) -> io::Result<Reached> {
        let mut at = OwnedFd::from(self.top.try_clone()?);
        for folder in folders_above(path) {
            at = match openat(&at, last(folder), folder_flags(), Mode::empty()) {
                Ok(next) => next,
                Err(Errno::ENOENT) => return Ok(Reached::Missing),
                Err(Errno::ENOTDIR | Errno::ELOOP) => return Ok(Reached::Blocked(folder.to_vec())),
                Err(errno) => return Err(errno.into()),
            };
        }
        Ok(Reached::Folder(at))
    }
}

/// Tells whether a path stays beneath the folder, and out of what is not the session's.
pub(super) fn may_stand(path: &[u8]) -> bool {
    let is_kept = |part: &[u8]| KEPT.iter().any(|kept| kept.eq_ignore_ascii_case(part));
    !path.split(|byte| *byte == b'/').any(|part| is_kept(part) || part.contains(&0))
}

/// Returns the last part of a path.
pub(super) fn last(path: &[u8]) -> &OsStr {
    OsStr::from_bytes(path.rsplit(|byte| *byte == b'/').next().unwrap_or(path))
}

fn folder_flags() -> OFlag {
    OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW | OFlag::O_DIRECTORY
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn no_link_is_followed_and_nothing_leads_out() {
        let (outside, inside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(outside.path().join("secret"), "x").unwrap();
        symlink(outside.path(), inside.path().join("link")).unwrap();
        let place = Place::open(inside.path()).unwrap();
        assert!(matches!(place.see(b"link").unwrap(), Seen::Link(_)));
        assert!(matches!(place.see(b"link/secret").unwrap(), Seen::Blocked(by) if by == b"link"));
        assert!(matches!(place.see(b"a/b").unwrap(), Seen::Nothing));
        assert!(place.remove(b"link/secret").is_err() && place.make_parent(b"link/new").is_err());
        assert!(outside.path().join("secret").exists());
        for bad in [&b"../a"[..], b"/a", b"a//b", b"a/.GIT/config", b".git", b""] {
            assert!(!may_stand(bad), "{bad:?}");
        }
        assert!(may_stand(b".gitignore") && may_stand(b"a/...") && may_stand(b"-x\n"));
    }

    #[test]
    fn emptied_folders_go_and_others_stay() {
        let inside = tempfile::tempdir().unwrap();
        let place = Place::open(inside.path()).unwrap();
        place.make_parent(b"a/b/c/file").unwrap();
        fs::write(inside.path().join("a/kept"), "").unwrap();
        assert_eq!(place.beneath(b"a").unwrap().len(), 2);
        place.remove_empty_above(b"a/b/c/file").unwrap();
        assert_eq!(place.beneath(b"a").unwrap(), [b"a/kept"]);
    }
}
