//! The folder beside the output folder in which a publication is made, until the two change places.

use super::memory::Spare;
use super::{Error, File, MANIFEST, at, place};
use rustix::fs::{CWD, FlockOperation, RenameFlags};
use spalla_crash::crash_point;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
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
    _lock: fs::File,
    made: RefCell<BTreeSet<PathBuf>>,
    is_begun: std::cell::Cell<bool>,
    /// What stands there from the publication before the last.
    spare: RefCell<Option<Spare>>,
}

impl Staging {
    /// Waits until nobody else publishes beside this folder. Nothing is made yet; what stands there goes, unless it is the spare.
    pub(super) fn begin(out: &Path, spare: Option<Spare>) -> Result<Self, Error> {
        let parent = out.parent().ok_or_else(|| Error::NoFolder(out.to_owned()))?;
        crash_point!("registry.parent.make", fs::create_dir_all(parent)).map_err(at(parent))?;
        let lock = fs::File::open(parent).map_err(at(parent))?;
        rustix::fs::flock(&lock, FlockOperation::LockExclusive).map_err(|error| at(parent)(error.into()))?;
        let name = out.file_name().unwrap_or_default().to_string_lossy();
        let new = parent.join(format!(".{name}.publishing"));
        let spare = spare.filter(|spare| spare.is_at(&new));
        if spare.is_none() {
            remove(Old::Folder, &new).map_err(at(&new))?;
        }
        let (made, is_begun) = (RefCell::default(), std::cell::Cell::new(false));
        Ok(Self { out: out.to_owned(), new, _lock: lock, made, is_begun, spare: spare.into() })
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

    /// Writes and takes over all files; where a spare stands, and nobody has files of their own, only what differs from it.
    pub(super) fn make(
        &self,
        files: &BTreeMap<String, File>,
        written: &BTreeSet<&String>,
        is_alone: bool,
    ) -> Result<(), Error> {
        let spare = self.spare.take();
        if spare.is_some() {
            self.is_begun.set(true);
        }
        let spare = match spare {
            Some(spare) if is_alone => spare.files,
            Some(_) => {
                remove(Old::Folder, &self.new).map_err(at(&self.new))?;
                BTreeMap::new()
            }
            None => BTreeMap::new(),
        };
        if !spare.is_empty() {
            self.drop_file(MANIFEST)?;
        }
        for path in spare.keys().filter(|path| !files.contains_key(*path)) {
            self.drop_file(path)?;
        }
        for (path, file) in files {
            match spare.get(path) {
                Some(Some(digest)) if digest == file.digest() && !written.contains(path) => continue,
                Some(_) => self.drop_file(path)?,
                None => {}
            }
            if written.contains(path) {
                self.write(path, file)?;
            } else {
                self.keep(path)?;
            }
        }
        self.drop_empty(spare.keys().filter(|path| !files.contains_key(*path)));
        Ok(())
    }

    fn drop_file(&self, path: &str) -> Result<(), Error> {
        let place = place(&self.new, path);
        remove(Old::File, &place).map_err(at(&place))
    }

    /// Removes the folders in which nothing is left; the others can't be removed.
    fn drop_empty<'a>(&self, gone: impl Iterator<Item = &'a String>) {
        for path in gone {
            let place = place(&self.new, path);
            let above = place.ancestors().skip(1).take_while(|folder| *folder != self.new);
            for folder in above {
                if remove(Old::EmptyFolder, folder).is_err() {
                    break;
                }
            }
        }
    }

    /// Tells whether the output folder has anything that is not the publication's.
    pub(super) fn has_foreign(&self, is_ours: impl Fn(&str) -> bool) -> Result<bool, Error> {
        let mut has_foreign = false;
        self.walk(is_ours, |_, _, _| {
            has_foreign = true;
            Ok(())
        })?;
        Ok(has_foreign)
    }

    /// Takes over everything of the output folder that is not the publication's.
    pub(super) fn carry(&self, is_ours: impl Fn(&str) -> bool) -> Result<(), Error> {
        self.walk(is_ours, |path, from, kind| self.carry_one(path, from, kind))
    }

    fn walk(
        &self,
        is_ours: impl Fn(&str) -> bool,
        mut take: impl FnMut(&str, &Path, fs::FileType) -> Result<(), Error>,
    ) -> Result<(), Error> {
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
                    take(&path, &entry.path(), kind)?;
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

    /// Gives the spare back, where nothing was made.
    pub(super) fn into_spare(self) -> Option<Spare> {
        self.spare.take()
    }

    /// Lets the two folders change places, and removes the old one, unless it is told what that one holds: then it is the spare.
    pub(super) fn finish(
        self,
        left: Option<BTreeMap<String, Option<blake3::Hash>>>,
    ) -> Result<Option<Spare>, Error> {
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
        let spare = left.and_then(|files| Spare::at(&self.new, files));
        // Dropping removes what stands there now: the old publication.
        self.is_begun.set(spare.is_none());
        Ok(spare)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if self.is_begun.get() {
            // The next publication removes what could not be removed.
            let _ = remove(Old::Folder, &self.new);
        }
    }
}

/// Something of an old publication.
#[derive(Debug, Clone, Copy)]
enum Old {
    File,
    EmptyFolder,
    Folder,
}

/// Removes it, if it is there.
fn remove(old: Old, place: &Path) -> io::Result<()> {
    let removed = crash_point!("registry.old.remove", act(old, place));
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn act(old: Old, place: &Path) -> io::Result<()> {
    match old {
        Old::File => fs::remove_file(place),
        Old::EmptyFolder => fs::remove_dir(place),
        Old::Folder => fs::remove_dir_all(place),
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
    fs::File::open(path)?.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}
