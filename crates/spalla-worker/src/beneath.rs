//! Opens files beneath a folder: a path that leads through a symbolic link, or to anything but a regular file, is
//! refused, also where somebody changes the tree meanwhile.

use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::io;
use std::path::Path;

/// A folder that files are opened beneath.
#[derive(Debug)]
pub(crate) struct Beneath {
    folder: File,
}

impl Beneath {
    /// Opens the folder.
    pub(crate) fn open(root: &Path) -> io::Result<Self> {
        Ok(Self { folder: File::open(root)? })
    }

    /// Opens a regular file by its path relative to the folder.
    pub(crate) fn file(&self, path: &str) -> io::Result<File> {
        let file = self.any(path)?;
        if file.metadata()?.is_file() {
            Ok(file)
        } else {
            Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"))
        }
    }

    /// Opens a folder by its path relative to the folder.
    pub(crate) fn folder(&self, path: &str) -> io::Result<File> {
        let folder = self.any(path)?;
        if folder.metadata()?.is_dir() {
            Ok(folder)
        } else {
            Err(io::Error::new(io::ErrorKind::NotADirectory, "it is no folder"))
        }
    }

    #[cfg(target_os = "linux")]
    fn any(&self, path: &str) -> io::Result<File> {
        use rustix::fs::ResolveFlags;
        use rustix::io::Errno;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        match rustix::fs::openat2(&self.folder, path, flags(), Mode::empty(), resolve) {
            Ok(descriptor) => Ok(File::from(descriptor)),
            // Old kernels lack the call and some filters refuse it.
            Err(Errno::NOSYS | Errno::PERM) => self.part_by_part(path),
            Err(error) => Err(error.into()),
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn any(&self, path: &str) -> io::Result<File> {
        self.part_by_part(path)
    }

    fn part_by_part(&self, path: &str) -> io::Result<File> {
        let mut at = self.folder.try_clone()?;
        let mut parts = path.split('/').peekable();
        while let Some(part) = parts.next() {
            if matches!(part, "" | "." | "..") {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, "it leads elsewhere"));
            }
            let is_last = parts.peek().is_none();
            let flags = if is_last { flags() } else { flags() | OFlags::DIRECTORY };
            at = File::from(rustix::fs::openat(&at, part, flags, Mode::empty())?);
        }
        Ok(at)
    }
}

/// Without waiting: a pipe put in a file's place must not hold anybody up.
fn flags() -> OFlags {
    OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn only_regular_files_beneath_the_folder_are_opened() {
        let (outside, inside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(outside.path().join("secret"), "x").unwrap();
        fs::create_dir(inside.path().join("sub")).unwrap();
        fs::write(inside.path().join("sub/file"), "x").unwrap();
        symlink(outside.path(), inside.path().join("link")).unwrap();
        symlink(outside.path().join("secret"), inside.path().join("leaf")).unwrap();
        symlink("sub", inside.path().join("within")).unwrap();
        let pipe = inside.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, Mode::RUSR, 0).unwrap();
        let beneath = Beneath::open(inside.path()).unwrap();
        let opened = |path: &str| [beneath.any(path).is_ok(), beneath.part_by_part(path).is_ok()];
        assert_eq!(opened("sub/file"), [true, true]);
        for path in ["link/secret", "leaf", "within/file", "../x", "none", "/etc/passwd"] {
            assert_eq!(opened(path), [false, false], "{path}");
        }
        assert!(beneath.file("sub/file").is_ok());
        for path in ["sub", "pipe", "leaf"] {
            assert!(beneath.file(path).is_err(), "{path}");
        }
    }
}
