//! A folder that is held open: everything in it is reached by one name at a time, and no link is ever followed.

use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, Stat, fchmod, fstat, mkdirat, openat, statat, unlinkat,
};
use rustix::io::Errno;
use spalla_crash::crash_point;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// The mode of the folders of a scratchpad.
pub(crate) const FOLDER_MODE: u32 = 0o755;
/// The mode of the folder of records.
pub(crate) const RECORDS_MODE: u32 = 0o700;

/// A folder that is held open.
#[derive(Debug)]
pub(crate) struct Folder {
    fd: OwnedFd,
}

impl Folder {
    /// Opens a folder by its path; its last part is no link.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        // With a slash at its end a link would be followed.
        let path: PathBuf = path.components().collect();
        Ok(Self { fd: openat(rustix::fs::CWD, &path, flags(), Mode::empty())? })
    }

    /// Opens a folder that a person chose, which may be a link.
    pub(crate) fn open_chosen(path: &Path) -> io::Result<Self> {
        let flags = flags().difference(OFlags::NOFOLLOW);
        Ok(Self { fd: openat(rustix::fs::CWD, path, flags, Mode::empty())? })
    }

    /// Opens a folder in this one.
    pub(crate) fn sub(&self, name: &OsStr) -> io::Result<Self> {
        Ok(Self { fd: openat(&self.fd, name, flags(), Mode::empty())? })
    }

    /// Makes a folder in this one, whatever the process masks. One that is there is refused.
    pub(crate) fn make(&self, name: &OsStr, mode: u32) -> io::Result<Self> {
        crash_point!("scratchpad.folder.make", mkdirat(&self.fd, name, Mode::from_raw_mode(0o700)))?;
        let made = self.sub(name)?;
        fchmod(&made.fd, Mode::from_raw_mode(mode))?;
        Ok(made)
    }

    /// Opens a folder in this one, made where it is missing.
    pub(crate) fn open_or_make(&self, name: &OsStr, mode: u32) -> io::Result<Self> {
        match self.sub(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => match self.make(name, mode) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => self.sub(name),
                made => made,
            },
            opened => opened,
        }
    }

    /// Gives the folder its mode, which it has not where a death came between its making and that.
    pub(crate) fn keep_mode(self, mode: u32) -> io::Result<Self> {
        if self.own_stat()?.st_mode & 0o7777 != mode {
            fchmod(&self.fd, Mode::from_raw_mode(mode))?;
        }
        Ok(self)
    }

    /// Opens a regular file for reading. A pipe in its place holds nobody up.
    pub(crate) fn file(&self, name: &OsStr) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = File::from(openat(&self.fd, name, flags, Mode::empty())?);
        if file.metadata()?.is_file() { Ok(file) } else { Err(io::ErrorKind::InvalidInput.into()) }
    }

    /// Makes a file; one that is there, or a link, is refused.
    pub(crate) fn create(&self, name: &OsStr, mode: u32) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let closed = Mode::from_raw_mode(0o600);
        let made = File::from(crash_point!("scratchpad.file.create", openat(&self.fd, name, flags, closed))?);
        fchmod(&made, Mode::from_raw_mode(mode))?;
        Ok(made)
    }

    /// Looks at what stands under a name; none where nothing does.
    pub(crate) fn stat(&self, name: &OsStr) -> io::Result<Option<Stat>> {
        match statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Looks at the folder itself.
    pub(crate) fn own_stat(&self) -> io::Result<Stat> {
        Ok(fstat(&self.fd)?)
    }

    /// Returns where a link leads.
    pub(crate) fn link(&self, name: &OsStr) -> io::Result<Vec<u8>> {
        Ok(rustix::fs::readlinkat(&self.fd, name, Vec::new())?.into_bytes())
    }

    /// Returns the names in the folder in their order, at most so many; tells whether these are all.
    pub(crate) fn names(&self, most: usize) -> io::Result<(Vec<OsString>, bool)> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.fd)? {
            let entry = entry?;
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            if names.len() >= most {
                return Ok((names, false));
            }
            names.push(OsStr::from_bytes(name.to_bytes()).to_owned());
        }
        names.sort_unstable();
        Ok((names, true))
    }

    /// Removes what stands under a name, unless it is a folder; nothing there is fine.
    pub(crate) fn unlink(&self, name: &OsStr) -> io::Result<()> {
        match crash_point!("scratchpad.file.remove", unlinkat(&self.fd, name, AtFlags::empty())) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }
}

impl AsFd for Folder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Returns what stands there.
pub(crate) fn kind_of(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

fn flags() -> OFlags {
    OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, mknodat};
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    #[test]
    fn no_link_and_no_pipe_is_opened() {
        let (outside, inside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(outside.path().join("secret"), "x").unwrap();
        symlink(outside.path(), inside.path().join("folder")).unwrap();
        symlink(outside.path().join("secret"), inside.path().join("file")).unwrap();
        mknodat(CWD, inside.path().join("pipe"), FileType::Fifo, Mode::RUSR, 0).unwrap();
        let folder = Folder::open(inside.path()).unwrap();
        assert!(folder.sub("folder".as_ref()).is_err());
        for name in ["file", "pipe", "none"] {
            assert!(folder.file(name.as_ref()).is_err(), "{name}");
        }
        assert!(folder.create("file".as_ref(), 0o644).is_err());
        for link in ["folder", "folder/", "folder/."] {
            assert!(Folder::open(&inside.path().join(link)).is_err(), "{link}");
        }
        assert!(Folder::open_chosen(&inside.path().join("folder")).is_ok());
        assert_eq!(fs::read_to_string(outside.path().join("secret")).unwrap(), "x");
    }

    #[test]
    fn a_folder_has_its_mode_whatever_is_masked() {
        let inside = tempfile::tempdir().unwrap();
        let folder = Folder::open(inside.path()).unwrap();
        folder.make("a".as_ref(), 0o777).unwrap();
        let mode = fs::metadata(inside.path().join("a")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o777);
        assert!(folder.make("a".as_ref(), 0o755).is_err());
        assert!(folder.open_or_make("a".as_ref(), 0o755).is_ok());
    }
}
