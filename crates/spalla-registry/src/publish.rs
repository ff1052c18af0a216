//! Puts everything that is published in its place at once: it is made beside the output folder, and the two folders change
//! places. A reader sees the old publication or the new one, never a part of each.
//!
//! Files of the output folder that were not published by an earlier call are somebody's own: they are carried over.

mod file;
mod manifest;
mod memory;
mod staging;

pub use file::File;
use manifest::Manifest;
pub use memory::Memory;
use serde::Serialize;
use staging::Staging;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The name of the list of what was published, in the output folder.
pub const MANIFEST: &str = ".published.json";

/// What a publication changes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Changes {
    /// Files that are written anew.
    pub written: Vec<String>,
    /// Files that were published before and are not any more.
    pub removed: Vec<String>,
    /// How many files stay as they are.
    pub unchanged: usize,
}

impl Changes {
    /// Tells whether there are none.
    pub fn is_none(&self) -> bool {
        self.written.is_empty() && self.removed.is_empty()
    }
}

/// Why nothing was published.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The output folder can't be read or written.
    #[error("publishing into {}", place.display())]
    Io {
        /// What was read or written.
        place: PathBuf,
        /// Why it could not be.
        #[source]
        source: io::Error,
    },
    /// A file of somebody's own stands where one is to be published.
    #[error("{} is not a file that was published before; move it away", .0.display())]
    Foreign(PathBuf),
    /// The file system can't do it at once, and a reader is never to see half of it.
    #[error("the file system of {} can't let two folders change places at once; choose another output folder", .0.display())]
    NoExchange(PathBuf),
    /// The output folder is no folder.
    #[error("{} is no folder", .0.display())]
    NoFolder(PathBuf),
}

fn at(place: &Path) -> impl FnOnce(io::Error) -> Error + use<> {
    let place = place.to_owned();
    move |source| Error::Io { place, source }
}

/// Says what publishing would change, and changes nothing. A file counts as changed when `differs` says so of the old and
/// the new bytes.
pub fn changes(
    files: &BTreeMap<String, File>,
    out: &Path,
    differs: impl Fn(&str, &[u8], &[u8]) -> bool,
) -> Result<Changes, Error> {
    compared(files, out, &Manifest::read(out)?, &mut Memory::default(), differs)
}

fn compared(
    files: &BTreeMap<String, File>,
    out: &Path,
    old: &Manifest,
    memory: &mut Memory,
    differs: impl Fn(&str, &[u8], &[u8]) -> bool,
) -> Result<Changes, Error> {
    let mut changes = Changes::default();
    for (path, file) in files {
        let place = place(out, path);
        if memory.knows(path, file, &place) {
            changes.unchanged += 1;
            continue;
        }
        match staging::plain_file(&place).map_err(at(out))? {
            Some(before) if !differs(path, &before, file) => changes.unchanged += 1,
            _ => changes.written.push(path.clone()),
        }
    }
    let gone = |path: &&String| !files.contains_key(*path) && place(out, path).symlink_metadata().is_ok();
    changes.removed = old.files.keys().filter(gone).cloned().collect();
    Ok(changes)
}

/// Publishes. Where nothing changes nothing is touched.
pub fn publish(files: &BTreeMap<String, File>, out: &Path) -> Result<Changes, Error> {
    publish_again(files, out, &mut Memory::default())
}

/// Publishes once more: what `memory` knows to stand there already is not read again.
pub fn publish_again(
    files: &BTreeMap<String, File>,
    out: &Path,
    memory: &mut Memory,
) -> Result<Changes, Error> {
    let out = match out.canonicalize() {
        Ok(real) if !real.is_dir() => return Err(Error::NoFolder(real)),
        Ok(real) => real,
        Err(_) => std::path::absolute(out).map_err(at(out))?,
    };
    let staging = Staging::begin(&out, memory.spare.take())?;
    let old = Manifest::read(&out)?;
    let changes = compared(files, &out, &old, memory, |_, old, new| old != new)?;
    let manifest = Manifest::of(files);
    if changes.is_none() && old == manifest {
        memory.note(files, &out);
        memory.spare = staging.into_spare();
        return Ok(changes);
    }
    if let Some(foreign) = foreign(&changes, &old, &out) {
        return Err(Error::Foreign(foreign));
    }
    let written: BTreeSet<&String> = changes.written.iter().collect();
    let is_ours = |path: &str| path == MANIFEST || files.contains_key(path) || old.files.contains_key(path);
    let is_alone = memory.keeps_spare && !staging.has_foreign(is_ours)?;
    staging.make(files, &written, is_alone)?;
    staging.write(MANIFEST, &manifest.bytes())?;
    if !is_alone {
        staging.carry(is_ours)?;
    }
    let left = is_alone.then(|| left(files, &written, &old));
    memory.spare = staging.finish(left)?;
    memory.note(files, &out);
    Ok(changes)
}

/// Says what the publication that is replaced holds: only what is the same in the new one was looked at.
fn left(
    files: &BTreeMap<String, File>,
    written: &BTreeSet<&String>,
    old: &Manifest,
) -> BTreeMap<String, Option<blake3::Hash>> {
    let digest = |path: &String| {
        let same = files.get(path).filter(|_| !written.contains(path));
        (path.clone(), same.map(|file| *file.digest()))
    };
    old.files.keys().map(digest).collect()
}

/// Finds a file that would be written over although nobody published it. The first publication into a folder takes over
/// what looks like an earlier one.
fn foreign(changes: &Changes, old: &Manifest, out: &Path) -> Option<PathBuf> {
    if old.files.is_empty() && out.join(crate::index::INDEX).is_file() {
        return None;
    }
    let stands =
        |path: &&String| !old.files.contains_key(*path) && place(out, path).symlink_metadata().is_ok();
    changes.written.iter().find(stands).map(|path| place(out, path))
}

/// Returns the place of a published file. Its parts are ids, which lead nowhere else.
fn place(out: &Path, path: &str) -> PathBuf {
    path.split('/').fold(out.to_owned(), |place, part| place.join(part))
}

/// Returns the bytes of a published file, if it is there.
pub fn published(out: &Path, path: &str) -> io::Result<Option<Vec<u8>>> {
    staging::plain_file(&place(out, path))
}

/// Returns the digests of the published files that a definition may change by, by their paths.
pub fn digests(out: &Path) -> Result<BTreeMap<String, String>, Error> {
    Manifest::read(out).map(|manifest| manifest.files)
}

/// Tells whether a folder was made by publishing.
pub fn is_published(out: &Path) -> bool {
    fs::symlink_metadata(out.join(MANIFEST)).is_ok_and(|data| data.is_file())
}
