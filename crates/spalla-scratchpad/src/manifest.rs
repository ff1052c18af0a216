//! What stands in a scratchpad at one moment: of each file its size and its hash, so that a later look says what was made.

use crate::folder::{Folder, kind_of};
use crate::walk::{Found, Which, shown, walk};
use rustix::fs::FileType;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{self, Read as _};

/// The largest file that is hashed, in bytes; larger ones are told apart by size and time.
const HASH_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// How much of one tree is hashed, in bytes.
const HASH_TOTAL_BYTES_MAX: u64 = 8 * 1024 * 1024 * 1024;
/// How much is read at once.
const PIECE_BYTES: usize = 128 * 1024;

/// What something in a scratchpad is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileKind {
    /// A regular file.
    File,
    /// A symbolic link.
    Link,
    /// A pipe, a socket or a device.
    Other,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// What it is.
    pub(crate) kind: FileKind,
    /// How long it is, in bytes.
    pub(crate) size: u64,
    /// Whether its owner may execute it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_executable: bool,
    /// The BLAKE3 hash of what is in it; none where it is too large, or can't be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) hash: Option<String>,
    /// When it was last written, in nanoseconds; only where there is no hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) modified_ns: Option<i64>,
}

/// Everything in a scratchpad but what is git's own.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// By their paths, as they are shown.
    pub(crate) entries: BTreeMap<String, Entry>,
    /// Whether everything was seen.
    pub(crate) is_whole: bool,
}

impl Manifest {
    /// Looks at a tree.
    pub(crate) fn of(top: &Folder) -> io::Result<Self> {
        let (mut entries, mut left) = (BTreeMap::new(), HASH_TOTAL_BYTES_MAX);
        let extent = walk(top, Which::WithoutGit, &mut |found| {
            entries.insert(shown(found.path), entry(found, &mut left));
            Ok(())
        })?;
        Ok(Self { entries, is_whole: extent.is_whole })
    }
}

fn entry(found: &Found<'_>, left: &mut u64) -> Entry {
    let size = u64::try_from(found.stat.st_size).unwrap_or_default();
    let mode = found.stat.st_mode;
    let (kind, hash) = match kind_of(&found.stat) {
        FileType::RegularFile => (FileKind::File, hash_of(found, size, left)),
        FileType::Symlink => {
            let target = found.folder.link(found.name).ok();
            (FileKind::Link, target.map(|target| blake3::hash(&target).to_hex().to_string()))
        }
        _ => (FileKind::Other, None),
    };
    let (seconds, nanoseconds) = (found.stat.st_mtime, found.stat.st_mtime_nsec);
    let modified =
        || seconds.saturating_mul(1_000_000_000).saturating_add(i64::try_from(nanoseconds).unwrap_or(0));
    Entry {
        kind,
        size: if kind == FileKind::Other { 0 } else { size },
        is_executable: kind == FileKind::File && mode & 0o100 != 0,
        modified_ns: (hash.is_none() && kind == FileKind::File).then(modified),
        hash,
    }
}

/// Hashes a file that is not too large. One that can't be read has no hash.
fn hash_of(found: &Found<'_>, size: u64, left: &mut u64) -> Option<String> {
    if size > HASH_BYTES_MAX || size > *left {
        return None;
    }
    *left -= size;
    let file = found.folder.file(found.name).ok()?;
    // It may grow while it is read.
    let mut file = file.take(HASH_BYTES_MAX);
    let (mut hasher, mut piece) = (blake3::Hasher::new(), vec![0; PIECE_BYTES]);
    loop {
        match file.read(&mut piece) {
            Ok(0) => return Some(hasher.finalize().to_hex().to_string()),
            Ok(read) => hasher.update(&piece[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return None,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, Mode, mknodat};
    use std::fs;

    #[test]
    fn pipes_and_files_with_holes_hold_nobody_up() {
        let top = tempfile::tempdir().unwrap();
        mknodat(CWD, top.path().join("pipe"), FileType::Fifo, Mode::RUSR, 0).unwrap();
        fs::File::create(top.path().join("sparse")).unwrap().set_len(1 << 40).unwrap();
        fs::write(top.path().join("file"), "x").unwrap();
        let manifest = Manifest::of(&Folder::open(top.path()).unwrap()).unwrap();
        assert!(manifest.is_whole);
        assert_eq!(manifest.entries["pipe"].kind, FileKind::Other);
        let sparse = &manifest.entries["sparse"];
        assert_eq!((sparse.size, sparse.hash.is_none(), sparse.modified_ns.is_some()), (1 << 40, true, true));
        let hash = blake3::hash(b"x").to_hex().to_string();
        assert_eq!(manifest.entries["file"].hash, Some(hash));
    }
}
