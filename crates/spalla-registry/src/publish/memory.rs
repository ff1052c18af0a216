//! What was published by this process: a file that looks as it did then is not read again to be compared.

use super::{File, place};
use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// How coarse a file system's times may be: a file that was changed so shortly before it was looked at may be changed once more
/// without looking different.
const TICK: Duration = Duration::from_millis(20);

/// What stands in the published folder, as it was seen last.
#[derive(Debug, Default)]
pub struct Memory {
    files: BTreeMap<String, Known>,
}

#[derive(Debug)]
struct Known {
    digest: blake3::Hash,
    looks: Looks,
}

/// By what a file is told from another one: its number, its length, and when its content was changed.
type Looks = (u64, u64, SystemTime);

impl Memory {
    /// Tells whether a file stands there with this content, as far as its looks tell.
    pub(super) fn knows(&self, path: &str, file: &File, place: &Path) -> bool {
        let known = self.files.get(path).filter(|known| known.digest == *file.digest());
        known.is_some_and(|known| looks(place).is_some_and(|looks| looks == known.looks))
    }

    /// Notes what stands there now.
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
    use std::os::unix::fs::MetadataExt as _;
    Some((data.ino(), data.len(), data.modified().ok()?))
}
