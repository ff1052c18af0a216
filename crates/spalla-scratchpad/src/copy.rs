//! Copies files: their blocks are shared where the file system can, holes stay holes, and no more is copied than is
//! allowed.

use crate::error::{Error, io};
use crate::folder::{FOLDER_MODE, Folder, kind_of};
use crate::walk::{DEPTH_MAX, ENTRIES_MAX, is_git, shown, taken_of};
use rustix::fs::{FileType, SeekFrom, ftruncate, ioctl_ficlone, seek, symlinkat};
use rustix::io::Errno;
use spalla_crash::crash_point;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// How much may still be copied.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    /// Bytes.
    pub(crate) bytes: u64,
    /// Files.
    pub(crate) files: u64,
}

/// What becomes of the content of a tree that is copied: all of it, or all but what is git's own at its top.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Top {
    /// All of it.
    Whole,
    /// All but git's own.
    WithoutGit,
}

/// Copies what is in one folder into another, without following links. Links are copied as they are; pipes, sockets and
/// devices are left out, and named.
pub(crate) fn tree(
    (from, shown_from): (&Folder, &Path),
    into: &Folder,
    top: Top,
    budget: &mut Budget,
) -> Result<Vec<String>, Error> {
    let mut copy = Copy { shown: shown_from, budget, left_out: Vec::new() };
    copy.folder(from, into, top, &mut Vec::new(), 0)?;
    Ok(copy.left_out)
}

struct Copy<'a> {
    shown: &'a Path,
    budget: &'a mut Budget,
    left_out: Vec<String>,
}

impl Copy<'_> {
    fn folder(
        &mut self,
        from: &Folder,
        into: &Folder,
        top: Top,
        path: &mut Vec<u8>,
        depth: usize,
    ) -> Result<(), Error> {
        let failed = || io("copying", self.shown);
        let (names, are_all) = from.names(ENTRIES_MAX).map_err(failed())?;
        if !are_all || depth > DEPTH_MAX {
            return Err(Error::TooLarge(format!(
                "{} is too much to copy: folders of at most {ENTRIES_MAX} entries, {DEPTH_MAX} deep",
                self.shown.display()
            )));
        }
        let above = path.len();
        for name in &names {
            if top == Top::WithoutGit && depth == 0 && is_git(name) {
                continue;
            }
            if above > 0 {
                path.push(b'/');
            }
            path.extend_from_slice(name.as_bytes());
            self.entry(from, into, name, path, depth)?;
            path.truncate(above);
        }
        Ok(())
    }

    fn entry(
        &mut self,
        from: &Folder,
        into: &Folder,
        name: &OsStr,
        path: &mut Vec<u8>,
        depth: usize,
    ) -> Result<(), Error> {
        let place = self.shown.join(OsStr::from_bytes(path));
        let failed = || io("copying", &place);
        let Some(stat) = from.stat(name).map_err(failed())? else { return Ok(()) };
        match kind_of(&stat) {
            FileType::Directory => {
                let below = from.sub(name).map_err(failed())?;
                let made = into.open_or_make(name, FOLDER_MODE).map_err(failed())?;
                self.folder(&below, &made, Top::Whole, path, depth + 1)
            }
            FileType::RegularFile => {
                let source = from.file(name).map_err(failed())?;
                let mode = if stat.st_mode & 0o100 == 0 { 0o644 } else { 0o755 };
                file(&source, into, name, mode, self.budget).map_err(|error| error.at(&place))
            }
            FileType::Symlink => {
                let target = from.link(name).map_err(failed())?;
                let target = OsStr::from_bytes(&target);
                crash_point!("scratchpad.copy.link", symlinkat(target, into, name))
                    .map_err(|errno| failed()(errno.into()))
            }
            _ => {
                self.left_out.push(shown(path));
                Ok(())
            }
        }
    }
}

/// Why a file was not copied.
#[derive(Debug)]
pub(crate) enum NotCopied {
    /// The system refused it.
    Io(std::io::Error),
    /// It is more than is allowed.
    TooMuch,
}

impl NotCopied {
    /// Says of which file.
    pub(crate) fn at(self, path: &Path) -> Error {
        match self {
            Self::Io(source) => io("copying", path)(source),
            Self::TooMuch => {
                Error::TooLarge(format!("{} is more than the quota of a scratchpad lets in", path.display()))
            }
        }
    }
}

impl From<std::io::Error> for NotCopied {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

/// Copies a file to a name that is free. What is half copied is removed again.
pub(crate) fn file(
    source: &File,
    into: &Folder,
    name: &OsStr,
    mode: u32,
    budget: &mut Budget,
) -> Result<(), NotCopied> {
    budget.files = budget.files.checked_sub(1).ok_or(NotCopied::TooMuch)?;
    let made = into.create(name, mode)?;
    let copied = crash_point!("scratchpad.copy.fill", fill(source, &made, budget));
    if copied.is_err() {
        into.unlink(name)?;
    }
    copied
}

fn fill(source: &File, made: &File, budget: &mut Budget) -> Result<(), NotCopied> {
    use std::os::unix::fs::MetadataExt as _;
    let data = source.metadata()?;
    let taken = taken_of(data.size(), data.blocks());
    if taken > budget.bytes {
        return Err(NotCopied::TooMuch);
    }
    if ioctl_ficlone(made, source).is_ok() {
        budget.bytes = budget.bytes.saturating_sub(taken);
        return Ok(());
    }
    let size = data.size();
    ftruncate(made, size).map_err(std::io::Error::from)?;
    let mut at = 0;
    while at < size {
        let begin = match seek(source, SeekFrom::Data(at)) {
            Ok(begin) => begin,
            // From here on there are only holes.
            Err(Errno::NXIO) => break,
            // This file system knows no holes.
            Err(Errno::INVAL) => at,
            Err(errno) => return Err(std::io::Error::from(errno).into()),
        };
        let end = seek(source, SeekFrom::Hole(begin)).unwrap_or(size).clamp(begin, size);
        piece(source, made, begin, end - begin, budget)?;
        if end <= at {
            break;
        }
        at = end;
    }
    Ok(())
}

fn piece(source: &File, made: &File, begin: u64, length: u64, budget: &mut Budget) -> Result<(), NotCopied> {
    budget.bytes = budget.bytes.checked_sub(length).ok_or(NotCopied::TooMuch)?;
    let failed = |errno: Errno| NotCopied::Io(errno.into());
    seek(source, SeekFrom::Start(begin)).map_err(failed)?;
    seek(made, SeekFrom::Start(begin)).map_err(failed)?;
    let (mut source, mut made) = (source.take(length), made);
    std::io::copy(&mut source, &mut made)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{MetadataExt as _, symlink};

    fn copy(from: &Path, into: &Path, budget: Budget) -> Result<Vec<String>, Error> {
        let (source, made) = (Folder::open(from).unwrap(), Folder::open(into).unwrap());
        tree((&source, from), &made, Top::WithoutGit, &mut budget.clone())
    }

    const PLENTY: Budget = Budget { bytes: 1 << 20, files: 100 };

    #[test]
    fn holes_stay_holes_and_links_stay_links() {
        let (from, into) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::create_dir_all(from.path().join(".git")).unwrap();
        fs::create_dir_all(from.path().join("a")).unwrap();
        fs::write(from.path().join("a/file"), "text").unwrap();
        symlink("/etc/passwd", from.path().join("link")).unwrap();
        let sparse = fs::File::create(from.path().join("sparse")).unwrap();
        sparse.set_len(1 << 40).unwrap();
        std::os::unix::fs::FileExt::write_all_at(&sparse, b"in the middle", 1 << 30).unwrap();
        copy(from.path(), into.path(), PLENTY).unwrap();
        let copied = |name: &str| into.path().join(name);
        assert_eq!(fs::read_to_string(copied("a/file")).unwrap(), "text");
        assert_eq!(fs::read_link(copied("link")).unwrap(), Path::new("/etc/passwd"));
        let data = fs::metadata(copied("sparse")).unwrap();
        assert!(data.size() == 1 << 40 && data.blocks() < 1_000, "{data:?}");
        let mut text = [0; 13];
        let file = fs::File::open(copied("sparse")).unwrap();
        std::os::unix::fs::FileExt::read_exact_at(&file, &mut text, 1 << 30).unwrap();
        assert_eq!(&text, b"in the middle");
        assert!(!copied(".git").exists());
    }

    #[test]
    fn more_than_is_allowed_is_refused() {
        let (from, into) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(from.path().join("a"), vec![1; 10_000]).unwrap();
        fs::write(from.path().join("b"), "b").unwrap();
        let tight = Budget { bytes: 9_000, files: 100 };
        assert!(matches!(copy(from.path(), into.path(), tight), Err(Error::TooLarge(_))));
        assert!(!into.path().join("a").exists());
        let few = Budget { bytes: 1 << 20, files: 1 };
        assert!(matches!(copy(from.path(), into.path(), few), Err(Error::TooLarge(_))));
    }

    #[test]
    fn a_link_in_the_place_of_a_copy_is_not_followed() {
        let (from, into) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let outside = tempfile::tempdir().unwrap();
        fs::write(from.path().join("file"), "x").unwrap();
        symlink(outside.path().join("file"), into.path().join("file")).unwrap();
        assert!(copy(from.path(), into.path(), PLENTY).is_err());
        assert!(!outside.path().join("file").exists());
    }
}
