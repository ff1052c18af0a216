//! What of a person's own in a repository's working tree stands where a change goes: modified, staged and untracked
//! files. What stands there as the change has it already is in nobody's way.

use super::begun::Held;
use super::place::{Place, Seen};
use super::{InTheWay, Why};
use crate::commands::session::change::{Change, Entry, LINK, Name, SUBMODULE, folders_above};
use crate::commands::session::git::{Git, utf8};
use crate::failure::{Failure, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read as _};

/// The longest file of which it is looked whether it was half-written, in bytes.
const TORN_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// What was found in the working tree.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// What stands in the way.
    pub(super) in_the_way: Vec<InTheWay>,
    /// What stands there as the change has it.
    pub(super) there: Vec<Change>,
    /// What an earlier, killed process left half-written.
    pub(super) torn: Vec<Name>,
}

/// Looks for what stands in the way of changes.
#[derive(Debug)]
pub(super) struct Look<'a> {
    pub(super) git: &'a Git,
    pub(super) held: &'a Held,
    pub(super) place: &'a Place,
    pub(super) changes: &'a [Change],
    /// Whether an earlier process began just these changes, when nothing stood in their way.
    pub(super) is_begun: bool,
}

/// A file that may stand in the way of a change.
struct Suspect<'a> {
    change: &'a Change,
    why: Why,
    /// Whether the index has something else than what was committed and what the change brings.
    is_staged_apart: bool,
}

impl Look<'_> {
    pub(super) async fn look(&self) -> Result<Found> {
        let mut found = Found::default();
        let mut suspects = self.touched(&self.status().await?);
        self.occupied(&mut suspects, &mut found).map_err(unseen)?;
        if suspects.is_empty() {
            return Ok(found);
        }
        let differ = self.differing(suspects.values()).await?;
        for (path, suspect) in suspects {
            let is_there = !suspect.is_staged_apart && !differ.contains(path);
            if is_there {
                found.there.push(suspect.change.clone());
            } else if self.is_begun && !suspect.is_staged_apart && self.is_torn(suspect.change).await? {
                found.torn.push(path.to_vec());
            } else {
                found.in_the_way.push(InTheWay { path: path.to_vec(), why: suspect.why });
            }
        }
        Ok(found)
    }

    /// Asks git which tracked files are not as they were committed.
    async fn status(&self) -> Result<Vec<Dirty>> {
        let args = [
            "status",
            "--porcelain=v2",
            "-z",
            "--no-renames",
            "--untracked-files=no",
            "--ignore-submodules=untracked",
        ];
        let said = self.git.succeed(&args).await?;
        let lines = said.stdout.split(|byte| *byte == 0).filter(|line| !line.is_empty());
        lines
            .map(|line| {
                Dirty::read(line)
                    .ok_or_else(|| Failure::failed("git status gave an answer that can't be read"))
            })
            .collect()
    }

    /// Returns the dirty files that the change touches.
    fn touched(&self, dirty: &[Dirty]) -> BTreeMap<&[u8], Suspect<'_>> {
        let dirty: BTreeMap<&[u8], &Dirty> =
            dirty.iter().map(|dirty| (dirty.path.as_slice(), dirty)).collect();
        let changes = self.changes.iter();
        let touched = changes.filter_map(|change| Some((change, dirty.get(change.path.as_slice())?)));
        let suspect = |(change, dirty): (_, &&Dirty)| {
            let change: &Change = change;
            let why = if dirty.is_staged { Why::Staged } else { Why::Modified };
            let is_staged_apart = dirty.is_staged && dirty.staged != change.new;
            (change.path.as_slice(), Suspect { change, why, is_staged_apart })
        };
        touched.map(suspect).collect()
    }

    /// Finds what stands where the change brings something new.
    fn occupied<'c>(
        &'c self,
        suspects: &mut BTreeMap<&'c [u8], Suspect<'c>>,
        found: &mut Found,
    ) -> io::Result<()> {
        let removed: BTreeSet<&[u8]> = self
            .changes
            .iter()
            .filter(|change| change.is_removal())
            .map(|change| change.path.as_slice())
            .collect();
        let mut in_the_way = BTreeSet::new();
        for change in self.changes.iter().filter(|change| !change.is_removal()) {
            let path = change.path.as_slice();
            let was_submodule = change.old.as_ref().is_some_and(|old| old.mode == SUBMODULE);
            let is_submodule = change.new.as_ref().is_some_and(|new| new.mode == SUBMODULE);
            if change.old.is_some() && (!was_submodule || is_submodule) || suspects.contains_key(path) {
                continue;
            }
            in_the_way.extend(self.submodules_above(path, &removed)?);
            match self.place.see(path)? {
                Seen::Nothing => {}
                Seen::Blocked(by) if removed.contains(by.as_slice()) => {}
                Seen::Blocked(by) => {
                    in_the_way.insert(by);
                }
                Seen::File(_) | Seen::Link(_) | Seen::Other => {
                    suspects.insert(path, Suspect { change, why: Why::Untracked, is_staged_apart: false });
                }
                Seen::Folder => {
                    let beneath = self.place.beneath(path)?;
                    in_the_way.extend(beneath.into_iter().filter(|name| !removed.contains(name.as_slice())));
                }
            }
        }
        found.in_the_way.extend(in_the_way.into_iter().map(|path| InTheWay { path, why: Why::Untracked }));
        Ok(())
    }

    /// Returns the submodules above a new path that the change removes, and that are checked out: git lets them stand.
    fn submodules_above(&self, path: &[u8], removed: &BTreeSet<&[u8]>) -> io::Result<Vec<Name>> {
        let mut found = Vec::new();
        for folder in folders_above(path).filter(|folder| removed.contains(folder)) {
            if matches!(self.place.see(folder)?, Seen::Folder) && !self.place.beneath(folder)?.is_empty() {
                let was = self.changes.iter().find(|change| change.path == folder);
                if was.is_some_and(Change::has_submodule) {
                    found.push(folder.to_vec());
                }
            }
        }
        Ok(found)
    }

    /// Returns which of the files are not as the change has them. Git compares them, by a list of them alone, because
    /// it knows what a person's settings make of a file.
    async fn differing<'c>(&self, suspects: impl Iterator<Item = &'c Suspect<'c>>) -> Result<BTreeSet<Name>> {
        let (mut list, mut differ) = (Vec::new(), BTreeSet::new());
        for change in suspects.map(|suspect| suspect.change) {
            match &change.new {
                Some(new) => list.extend(index_line(&change.path, new)),
                None if matches!(self.place.see(&change.path).map_err(unseen)?, Seen::Nothing) => {}
                None => {
                    differ.insert(change.path.clone());
                }
            }
        }
        if list.is_empty() {
            return Ok(differ);
        }
        self.held.forget_index()?;
        let git = self.git.with("GIT_INDEX_FILE", utf8(&self.held.index())?);
        git.taught(&["update-index", "-z", "--index-info"], list).await?;
        // It says by its status as well that some files differ; which ones is what is asked next.
        git.ask(&["update-index", "-q", "--refresh"]).await?;
        let said = git.succeed(&["diff-files", "-z", "--name-only", "--ignore-submodules=untracked"]).await?;
        self.held.forget_index()?;
        let names = said.stdout.split(|byte| *byte == 0).filter(|name| !name.is_empty());
        differ.extend(names.map(<[u8]>::to_vec));
        Ok(differ)
    }

    /// Tells whether a file is what a killed process leaves: nothing, or the beginning of what it was writing. All of
    /// it is in what is written next.
    async fn is_torn(&self, change: &Change) -> Result<bool> {
        let Some(new) = change.new.as_ref().filter(|new| new.mode != SUBMODULE) else { return Ok(false) };
        let stat = match self.place.see(&change.path).map_err(unseen)? {
            Seen::Nothing => return Ok(true),
            Seen::File(stat) if new.mode != LINK => stat,
            Seen::File(_) | Seen::Blocked(_) | Seen::Link(_) | Seen::Folder | Seen::Other => {
                return Ok(false);
            }
        };
        if u64::try_from(stat.st_size).is_ok_and(|size| size > TORN_BYTES_MAX) {
            return Ok(false);
        }
        let mut here = Vec::new();
        let file = self.place.file(&change.path).map_err(unseen)?;
        file.take(TORN_BYTES_MAX).read_to_end(&mut here).map_err(unseen)?;
        let wanted = self.git.succeed(&["cat-file", "blob", &new.object]).await?;
        Ok(wanted.stdout.starts_with(&here))
    }
}

/// A line for git's index.
pub(super) fn index_line(path: &[u8], entry: &Entry) -> Vec<u8> {
    let mut line = format!("{:o} {}\t", entry.mode, entry.object).into_bytes();
    line.extend(path);
    line.push(0);
    line
}

fn unseen(error: io::Error) -> Failure {
    Failure::usage(format!("looking at the files of the target: {}", crate::failure::in_words(&error)))
}

/// A tracked file that is not as it was committed.
#[derive(Debug, PartialEq, Eq)]
struct Dirty {
    path: Name,
    is_staged: bool,
    /// What the index has.
    staged: Option<Entry>,
}

impl Dirty {
    /// Reads a line of `git status --porcelain=v2 -z`, of one that changed or that waits for its merge.
    fn read(line: &[u8]) -> Option<Self> {
        let fields = if line.starts_with(b"1 ") { 9 } else { 11 };
        let mut parts = line.splitn(fields, |byte| *byte == b' ');
        let mut word = || std::str::from_utf8(parts.next()?).ok();
        let (kind, states) = (word()?, word()?);
        if kind == "u" {
            let path = parts.nth(8)?.to_vec();
            return Some(Self { path, is_staged: true, staged: None });
        }
        let (_submodule, _head_mode, mode, _here_mode, _head) = (word()?, word()?, word()?, word()?, word()?);
        let object = word()?.to_owned();
        let mode = u32::from_str_radix(mode, 8).ok()?;
        let staged = (mode != 0).then_some(Entry { mode, object });
        Some(Self { path: parts.next()?.to_vec(), is_staged: !states.starts_with('.'), staged })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_status_is_read_whatever_its_file_is_called() {
        let line = b"1 .M N... 100644 100644 100755 aa bb -a b\n";
        let staged = Some(Entry { mode: 0o100_644, object: "bb".into() });
        assert_eq!(Dirty::read(line), Some(Dirty { path: b"-a b\n".to_vec(), is_staged: false, staged }));
        let line = b"1 D. N... 100644 000000 000000 aa 00 x";
        assert_eq!(Dirty::read(line), Some(Dirty { path: b"x".to_vec(), is_staged: true, staged: None }));
        let line = b"u UU N... 100644 100644 100644 100644 aa bb cc x y";
        assert_eq!(Dirty::read(line).map(|dirty| dirty.path), Some(b"x y".to_vec()));
        assert_eq!(Dirty::read(b"# branch"), None);
    }
}
