//! The folder beside the output folder in which a publication is made, until the two change places.

use super::{Error, at, place};
use rustix::fs::{CWD, FlockOperation, RenameFlags};
use spalla_crash::crash_point;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// The largest published file that is read, in bytes: the triggers of tens of thousands of agents.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// How deep somebody's own folders are carried over.
const DEPTH_MAX: usize = 16;

/// A publication on its way.
#[derive(Debug)]
pub(super) struct Staging {
    out: PathBuf,
    new: PathBuf,
    /// Held by one publication at a time.
    _lock: File,
    made: RefCell<BTreeSet<PathBuf>>,
    is_begun: std::cell::Cell<bool>,
}

impl Staging {
    /// Waits until nobody else publishes beside this folder. Nothing is made yet.
    pub(super) fn begin(out: &Path) -> Result<Self, Error> {
        let parent = out.parent().ok_or_else(|| Error::NoFolder(out.to_owned()))?;
        crash_point!("registry.parent.make", fs::create_dir_all(parent)).map_err(at(parent))?;
        let lock = File::open(parent).map_err(at(parent))?;
        rustix::fs::flock(&lock, FlockOperation::LockExclusive).map_err(|error| at(parent)(error.into()))?;
        let name = out.file_name().unwrap_or_default().to_string_lossy();
        let new = parent.join(format!(".{name}.publishing"));
        remove(&new).map_err(at(&new))?;
        let (made, is_begun) = (RefCell::default(), std::cell::Cell::new(false));
        Ok(Self { out: out.to_owned(), new, _lock: lock, made, is_begun })
    }

    /// Writes a file.
    pub(super) fn write(&self, path: &str, bytes: &[u8]) -> Result<(), Error> {
        let place = self.room(path)?;
        let mut file = crash_point!(
            "registry.file.create",
            OpenOptions::new().write(true).create_new(true).mode(0o644).open(&place)
        )
        .map_err(at(&place))?;
        crash_point!("registry.file.write", file.write_all(bytes)).map_err(at(&place))
    }

    /// Takes a file over as it is.
    pub(super) fn keep(&self, path: &str) -> Result<(), Error> {
        let to = self.room(path)?;
        let from = place(&self.out, path);
        crash_point!("registry.file.link", fs::hard_link(&from, &to)).map_err(at(&from))
    }

    /// Takes over everything of the output folder that is not the publication's.
    pub(super) fn carry(&self, is_ours: impl Fn(&str) -> bool) -> Result<(), Error> {
        let mut open = vec![(String::new(), 0)];
        while let Some((prefix, depth)) = open.pop() {
            let folder = place(&self.out, &prefix);
            let entries = match fs::read_dir(&folder) {
                Ok(entries) => entries,
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(at(&folder)(error)),
            };
            for entry in entries {
                let entry = entry.map_err(at(&folder))?;
                let name = entry.file_name();
                let Some(name) = name.to_str() else {
                    return Err(Error::Foreign(entry.path()));
                };
                let path = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") };
                let kind = entry.file_type().map_err(at(&folder))?;
                if kind.is_dir() && depth < DEPTH_MAX {
                    open.push((path, depth + 1));
                } else if !is_ours(&path) {
                    self.carry_one(&path, &entry.path(), kind)?;
                }
            }
        }
        Ok(())
    }

    fn carry_one(&self, path: &str, from: &Path, kind: fs::FileType) -> Result<(), Error> {
        let to = self.room(path)?;
        if kind.is_symlink() {
            let target = fs::read_link(from).map_err(at(from))?;
            return crash_point!("registry.foreign.link", rustix::fs::symlinkat(target, CWD, &to))
                .map_err(|error| at(&to)(error.into()));
        }
        if !kind.is_file() {
            return Err(Error::Foreign(from.to_owned()));
        }
        crash_point!("registry.foreign.keep", fs::hard_link(from, &to)).map_err(at(from))
    }

    /// Returns the place of a file, whose folders are there then.
    fn room(&self, path: &str) -> Result<PathBuf, Error> {
        self.is_begun.set(true);
        let place = place(&self.new, path);
        let folder = place.parent().unwrap_or(&self.new).to_owned();
        if self.made.borrow_mut().insert(folder.clone()) {
            crash_point!("registry.folder.make", fs::create_dir_all(&folder)).map_err(at(&folder))?;
        }
        Ok(place)
    }

    /// Lets the two folders change places, and removes the old one.
    pub(super) fn finish(self) -> Result<(), Error> {
        let swapped = crash_point!(
            "registry.publish.swap",
            rustix::fs::renameat_with(CWD, &self.new, CWD, &self.out, RenameFlags::EXCHANGE)
        );
        match swapped {
            Ok(()) => {}
            Err(rustix::io::Errno::NOENT) => {
                crash_point!("registry.publish.first", fs::rename(&self.new, &self.out))
                    .map_err(at(&self.out))?;
            }
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
                return Err(Error::NoExchange(self.out.clone()));
            }
            Err(error) => return Err(at(&self.out)(error.into())),
        }
        // Dropping removes what stands there now: the old publication.
        Ok(())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if self.is_begun.get() {
            // The next publication removes what could not be removed.
            let _ = remove(&self.new);
        }
    }
}

fn remove(folder: &Path) -> io::Result<()> {
    match crash_point!("registry.old.remove", fs::remove_dir_all(folder)) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Reads a file that is one; a link or anything else is nothing.
pub(super) fn plain_file(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let gone = [ErrorKind::NotFound, ErrorKind::NotADirectory];
    let data = match fs::symlink_metadata(path) {
        Ok(data) => data,
        Err(error) if gone.contains(&error.kind()) => return Ok(None),
        Err(error) => return Err(error),
    };
    if !data.is_file() || data.size() > FILE_BYTES_MAX {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}
