//! What nobody needs any more, and how much it is.

use crate::data_folder::{DataFolder, Owned};
use crate::failure::{Result, file};
use crate::scratchpads::failure;
use crate::sessions;
use serde::Serialize;
use spalla_domain::Timestamp;
use spalla_scratchpad::{Scratchpads, measure};
use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// The folders of runs of commands, one each.
const RUNS: &str = ".runs";
/// The log of a session, in its workspace.
const SESSION_LOG: &str = "orchestrator.log";

/// What something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// The folder of a run of a command.
    Run,
    /// The worktree of a run of a work item.
    Worktree,
    /// The copy of a repository that worktrees are made from; the next run fetches it again.
    Mirror,
    /// The beginning of a log.
    Log,
    /// A scratchpad whose time is over.
    Scratchpad,
}

impl Kind {
    /// Returns what a person calls it.
    pub(super) const fn in_words(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Worktree => "worktree",
            Self::Mirror => "mirror (cache)",
            Self::Log => "log (beginning)",
            Self::Scratchpad => "scratchpad",
        }
    }
}

/// Something that nobody needs any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Found {
    pub(super) kind: Kind,
    pub(super) path: PathBuf,
    pub(super) files: u64,
    pub(super) bytes: u64,
}

/// Where is looked, and what is kept.
pub(super) struct Search<'a> {
    /// The data folder.
    pub(super) data: &'a Path,
    /// The current folder.
    pub(super) here: &'a Path,
    /// What was used since then is kept.
    pub(super) kept_from: Timestamp,
    /// How much of the end of a log stays.
    pub(super) log_bytes: u64,
}

impl Search<'_> {
    /// Owns the data folder, so that nobody begins to work on it; none where somebody does.
    pub(super) fn own(&self) -> Option<Owned> {
        if self.data.is_dir() { DataFolder::at(self.data).own().ok() } else { None }
    }

    /// Finds everything; what a server works with only where there is none.
    pub(super) fn all(&self, is_owned: bool) -> Result<Vec<Found>> {
        let mut found = self.old_folders(&self.data.join(RUNS), Kind::Run)?;
        let here = self.here.join(RUNS);
        let is_same = here.canonicalize().ok() == self.data.join(RUNS).canonicalize().ok();
        if !is_same {
            found.extend(self.old_folders(&here, Kind::Run)?);
        }
        if is_owned {
            let (worktrees, is_all) = self.worktrees()?;
            // Worktrees that stay read from the mirrors.
            if is_all {
                found.extend(self.old_folders(&self.data.join("repositories"), Kind::Mirror)?);
            }
            found.extend(worktrees);
            found.extend(self.logs()?);
        }
        Ok(found)
    }

    fn old_folders(&self, above: &Path, kind: Kind) -> Result<Vec<Found>> {
        let old = folders(above)?.into_iter().filter(|path| self.is_old(path));
        Ok(old.map(|path| measured(kind, path)).collect())
    }

    /// An item's worktrees go together, unless one of them is to be gone on with. Tells whether these are all.
    fn worktrees(&self) -> Result<(Vec<Found>, bool)> {
        let (mut found, mut is_all) = (Vec::new(), true);
        for item in folders(&self.data.join("scratchpads"))? {
            let runs = folders(&item)?;
            let is_kept = |path: &PathBuf| !self.is_old(path) || self.is_left_behind(path);
            if runs.iter().any(is_kept) {
                is_all = false;
                continue;
            }
            found.extend(runs.into_iter().map(|path| measured(Kind::Worktree, path)));
        }
        Ok((found, is_all))
    }

    /// Tells whether the next worker goes on with a run.
    fn is_left_behind(&self, run: &Path) -> bool {
        run.file_name().is_some_and(|name| self.data.join("left-behind").join(name).exists())
    }

    /// Finds the logs of sessions that nobody pursues.
    fn logs(&self) -> Result<Vec<Found>> {
        let mut found = Vec::new();
        for (folder, session) in sessions::list(self.data)? {
            let Some(_held) = folder.hold()? else { continue };
            let path = Path::new(&session.workspace).join(SESSION_LOG);
            let Ok(data) = fs::symlink_metadata(&path) else { continue };
            if data.is_file() && data.len() > self.log_bytes {
                found.push(Found { kind: Kind::Log, path, files: 0, bytes: data.len() - self.log_bytes });
            }
        }
        Ok(found)
    }

    /// Tells whether nobody wrote at the top of a folder for long.
    fn is_old(&self, path: &Path) -> bool {
        let is_old = |data: Metadata| changed_at(&data) < self.kept_from.ms();
        let inside = fs::read_dir(path).into_iter().flatten().flatten();
        fs::symlink_metadata(path).is_ok_and(is_old)
            && inside.filter_map(|entry| entry.metadata().ok()).all(is_old)
    }
}

/// Returns the scratchpads that would be removed now.
pub(super) fn scratchpads(scratchpads: &Scratchpads, now: Timestamp) -> Result<Vec<Found>> {
    let cleaned = scratchpads.clean(now, true).map_err(failure)?;
    let free = cleaned.into_iter().filter(|one| !one.is_in_use);
    Ok(free
        .map(|one| Found { kind: Kind::Scratchpad, path: one.path, files: one.files, bytes: one.bytes })
        .collect())
}

fn changed_at(data: &Metadata) -> i64 {
    data.mtime().saturating_mul(1_000).saturating_add(data.mtime_nsec() / 1_000_000)
}

fn measured(kind: Kind, path: PathBuf) -> Found {
    let (files, bytes) = measure(&path);
    Found { kind, path, files, bytes }
}

/// Returns the folders in a folder that is none of a link; none where there is none.
fn folders(above: &Path) -> Result<Vec<PathBuf>> {
    if !fs::symlink_metadata(above).is_ok_and(|data| data.is_dir()) {
        return Ok(Vec::new());
    }
    let entries = match fs::read_dir(above) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(file("reading", above)(error)),
    };
    let is_folder = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
    let mut found: Vec<PathBuf> = entries.flatten().filter(is_folder).map(|entry| entry.path()).collect();
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn found(data: &Path, kept_from: i64) -> Vec<(Kind, PathBuf)> {
        let here = data.join("here");
        let kept_from = Timestamp::from_ms(kept_from);
        let search = Search { data, here: &here, kept_from, log_bytes: 0 };
        search.all(true).unwrap().into_iter().map(|found| (found.kind, found.path)).collect()
    }

    #[test]
    fn what_is_old_is_found_and_what_is_young_or_a_link_is_not() {
        let data = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let at = |path: &str| data.path().join(path);
        for folder in [".runs/one", "here/.runs/two", "scratchpads/item-1/run-1-1", "repositories/1.git"] {
            fs::create_dir_all(at(folder)).unwrap();
        }
        symlink(elsewhere.path(), at(".runs/link")).unwrap();
        assert_eq!(found(data.path(), 0), []);
        let expected = [
            (Kind::Run, at(".runs/one")),
            (Kind::Run, at("here/.runs/two")),
            (Kind::Mirror, at("repositories/1.git")),
            (Kind::Worktree, at("scratchpads/item-1/run-1-1")),
        ];
        assert_eq!(found(data.path(), i64::MAX), expected);
    }

    #[test]
    fn a_run_that_is_gone_on_with_keeps_its_worktree_and_the_mirror() {
        let data = tempfile::tempdir().unwrap();
        for folder in ["scratchpads/item-1/run-1-1", "left-behind/run-1-1", "repositories/1.git"] {
            fs::create_dir_all(data.path().join(folder)).unwrap();
        }
        assert_eq!(found(data.path(), i64::MAX), []);
    }
}
