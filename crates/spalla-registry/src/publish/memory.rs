//! What was published by this process: a file that looks as it did then is not read again to be compared.

use super::{File, place};
use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// How coarse a file system's times may be: a file that was changed so shortly before it was looked at may be changed once more
/// without looking different.
const TICK: Duration = Duration::from_millis(20);

/// What stands in the published folder, as it was seen last.
#[derive(Debug, Default)]
pub struct Memory {
    files: BTreeMap<String, Known>,
    pub(super) keeps_spare: bool,
    pub(super) spare: Option<Spare>,
}

/// The publication before the last, kept to become the next one: then only what differs has to be written. It stands where a
/// publication is made, and goes with the next one of anybody who does not know of it.
#[derive(Debug)]
pub(super) struct Spare {
    folder: Identity,
    /// Its files with their digests; none of those that may be other ones.
    pub(super) files: BTreeMap<String, Option<blake3::Hash>>,
}

/// By what a folder is told from another one that bears its name: its number, and when it was made.
type Identity = (u64, SystemTime);

#[derive(Debug)]
struct Known {
    digest: blake3::Hash,
    looks: Looks,
}

/// By what a file is told from another one: its number, its length, and when its content was changed.
type Looks = (u64, u64, SystemTime);

impl Spare {
    /// Takes a folder for a spare; none where the file system does not tell folders apart.
    pub(super) fn at(folder: &Path, files: BTreeMap<String, Option<blake3::Hash>>) -> Option<Self> {
        Some(Self { folder: identity(folder)?, files })
    }

    /// Tells whether it still stands there.
    pub(super) fn is_at(&self, folder: &Path) -> bool {
        identity(folder).is_some_and(|identity| identity == self.folder)
    }
}

fn identity(folder: &Path) -> Option<Identity> {
    let data = fs::symlink_metadata(folder).ok().filter(Metadata::is_dir)?;
    Some((data.ino(), data.created().ok()?))
}

impl Memory {
    /// Makes one for whoever publishes again and again: a second folder is kept beside the published one, so that a change
    /// takes as long as what changed.
    pub fn of_a_watch() -> Self {
        Self { keeps_spare: true, ..Self::default() }
    }

    /// Tells whether a file stands there with this content, as far as its looks tell.
    pub(super) fn knows(&self, path: &str, file: &File, place: &Path) -> bool {
        let known = self.files.get(path).filter(|known| known.digest == *file.digest());
        known.is_some_and(|known| looks(place).is_some_and(|looks| looks == known.looks))
    }

    /// Notes what stands there now.
    #[expect(clippy::disallowed_methods, reason = "held against the times of files alone")]
    pub(super) fn note(&mut self, files: &BTreeMap<String, File>, out: &Path) {
        let sure = SystemTime::now() - TICK;
        let known = |(path, file): (&String, &File)| {
            let looks = looks(&place(out, path)).filter(|(.., changed)| *changed < sure)?;
            Some((path.clone(), Known { digest: *file.digest(), looks }))
        };
        self.files = files.iter().filter_map(known).collect();
    }
}

fn looks(place: &Path) -> Option<Looks> {
    let data: Metadata = fs::symlink_metadata(place).ok().filter(Metadata::is_file)?;
    Some((data.ino(), data.len(), data.modified().ok()?))
}
