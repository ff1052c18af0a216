//! How much is in a scratchpad, as a whole and folder by folder.

use crate::error::{Error, io};
use crate::folder::{Folder, kind_of};
use crate::id::Id;
use crate::scratchpads::Scratchpads;
use crate::state::State;
use crate::walk::{Which, bytes_of, walk};
use rustix::fs::FileType;
use serde::Serialize;
use spalla_domain::Timestamp;
use std::collections::BTreeMap;
use std::path::Path;

/// How much is in one folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct FolderStats {
    /// Regular files, at every depth.
    pub files: u64,
    /// What they take, in bytes.
    pub bytes: u64,
    /// The same in KiB, a begun one counted as one.
    pub size_kb: u64,
}

/// How much is in a scratchpad.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Of which.
    pub id: Id,
    /// How it is.
    pub state: State,
    /// Regular files, at every depth.
    pub total_files: u64,
    /// Folders, at every depth.
    pub total_folders: u64,
    /// Links, pipes and the like.
    pub total_others: u64,
    /// What all of it takes, in bytes.
    pub workspace_size_bytes: u64,
    /// The same in KiB, a begun one counted as one.
    pub workspace_size_kb: u64,
    /// By each folder at its top.
    pub folders: BTreeMap<String, FolderStats>,
    /// How many bytes it may have.
    pub quota_bytes: u64,
    /// How many files it may have.
    pub quota_files: u64,
    /// Whether it has more.
    pub is_over_quota: bool,
    /// Whether everything was counted.
    pub is_whole: bool,
}

/// What a tree takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Taken {
    /// Regular files.
    pub(crate) files: u64,
    /// Everything that is neither file nor folder.
    pub(crate) others: u64,
    /// Folders.
    pub(crate) folders: u64,
    /// What the files take.
    pub(crate) bytes: u64,
    /// Whether everything was counted.
    pub(crate) is_whole: bool,
}

/// Counts what is in a folder; nothing where there is none.
pub(crate) fn taken_at(path: &Path) -> Taken {
    Folder::open(path).and_then(|folder| taken(&folder)).unwrap_or_default()
}

/// Counts the files in any folder, and what they take in bytes. No link is followed.
pub fn measure(path: &Path) -> (u64, u64) {
    let taken = taken_at(path);
    (taken.files, taken.bytes)
}

/// Counts what is in a folder, with what is git's own.
pub(crate) fn taken(folder: &Folder) -> std::io::Result<Taken> {
    let mut taken = Taken::default();
    let extent = walk(folder, Which::All, &mut |found| {
        match kind_of(&found.stat) {
            FileType::RegularFile => taken.files += 1,
            _ => taken.others += 1,
        }
        taken.bytes = taken.bytes.saturating_add(bytes_of(&found.stat));
        Ok(())
    })?;
    Ok(Taken { folders: extent.folders, is_whole: extent.is_whole, ..taken })
}

impl Scratchpads {
    /// Counts what is in a scratchpad.
    pub fn stats(&self, id: &Id, now: Timestamp) -> Result<Stats, Error> {
        let _held = self.hold(id)?;
        let view = self.show(id, now)?;
        let failed = || io("counting what is in", &view.path);
        let top = Folder::open(&view.path).map_err(failed())?;
        let mut folders = BTreeMap::new();
        let mut total = Taken { is_whole: true, ..Taken::default() };
        let (names, are_all) = top.names(crate::walk::ENTRIES_MAX).map_err(failed())?;
        total.is_whole &= are_all;
        for name in names {
            let Some(stat) = top.stat(&name).map_err(failed())? else { continue };
            match kind_of(&stat) {
                FileType::Directory => {
                    let below = top.sub(&name).and_then(|folder| taken(&folder)).unwrap_or_default();
                    total = with(total, below);
                    total.folders += 1;
                    let shown = crate::walk::shown(name.as_encoded_bytes());
                    let size_kb = below.bytes.div_ceil(1_024);
                    folders.insert(shown, FolderStats { files: below.files, bytes: below.bytes, size_kb });
                }
                FileType::RegularFile => {
                    total.files += 1;
                    total.bytes = total.bytes.saturating_add(bytes_of(&stat));
                }
                _ => total.others += 1,
            }
        }
        let quota = self.quota();
        Ok(Stats {
            id: id.clone(),
            state: view.state,
            total_files: total.files,
            total_folders: total.folders,
            total_others: total.others,
            workspace_size_bytes: total.bytes,
            workspace_size_kb: total.bytes.div_ceil(1_024),
            folders,
            quota_bytes: quota.bytes,
            quota_files: quota.files,
            is_over_quota: total.bytes > quota.bytes || total.files > quota.files || !total.is_whole,
            is_whole: total.is_whole,
        })
    }
}

fn with(one: Taken, other: Taken) -> Taken {
    Taken {
        files: one.files + other.files,
        others: one.others + other.others,
        folders: one.folders + other.folders,
        bytes: one.bytes.saturating_add(other.bytes),
        is_whole: one.is_whole && other.is_whole,
    }
}
