//! What was made in a scratchpad: the difference of two looks at it.

use crate::manifest::{Entry, FileKind, Manifest};
use serde::Serialize;

/// A file that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Its path in the scratchpad; what is no text is written as `\xNN`.
    pub path: String,
    /// What it is.
    pub kind: FileKind,
    /// How long it is, in bytes; of one that is gone, how long it was.
    pub size: u64,
    /// The BLAKE3 hash of what is in it; none where it is too large.
    pub hash: Option<String>,
}

/// What was made.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Changes {
    /// What was not there.
    pub created: Vec<Change>,
    /// What is different.
    pub changed: Vec<Change>,
    /// What is gone.
    pub deleted: Vec<Change>,
    /// Whether everything was seen. What is too deep, too much or closed is not.
    pub is_whole: bool,
}

impl Changes {
    /// Compares what stood there with what stands there.
    pub(crate) fn between(before: &Manifest, now: &Manifest) -> Self {
        let mut changes = Self { is_whole: before.is_whole && now.is_whole, ..Self::default() };
        for (path, entry) in &now.entries {
            match before.entries.get(path) {
                None => changes.created.push(change(path, entry)),
                Some(earlier) if !is_same(earlier, entry) => changes.changed.push(change(path, entry)),
                Some(_) => {}
            }
        }
        let gone = before.entries.iter().filter(|(path, _)| !now.entries.contains_key(*path));
        changes.deleted.extend(gone.map(|(path, entry)| change(path, entry)));
        changes
    }

    /// Tells whether nothing was made.
    pub fn is_empty(&self) -> bool {
        self.created.is_empty() && self.changed.is_empty() && self.deleted.is_empty()
    }
}

/// Where one look has no hash, time says whether somebody wrote.
fn is_same(earlier: &Entry, now: &Entry) -> bool {
    let plain =
        earlier.kind == now.kind && earlier.size == now.size && earlier.is_executable == now.is_executable;
    plain
        && match (&earlier.hash, &now.hash) {
            (Some(earlier), Some(now)) => earlier == now,
            (None, None) => earlier.modified_ns == now.modified_ns,
            _ => false,
        }
}

fn change(path: &str, entry: &Entry) -> Change {
    Change { path: path.to_owned(), kind: entry.kind, size: entry.size, hash: entry.hash.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(entries: &[(&str, &str)]) -> Manifest {
        let entry = |hash: &str| Entry {
            kind: FileKind::File,
            size: 1,
            is_executable: false,
            hash: Some(hash.to_owned()),
            modified_ns: None,
        };
        let entries = entries.iter().map(|(path, hash)| ((*path).to_owned(), entry(hash)));
        Manifest { entries: entries.collect(), is_whole: true }
    }

    #[test]
    fn what_is_new_other_and_gone_is_told_apart() {
        let before = manifest(&[("a", "1"), ("b", "1"), ("c", "1")]);
        let changes = Changes::between(&before, &manifest(&[("a", "1"), ("b", "2"), ("d", "1")]));
        let paths = |list: &[Change]| list.iter().map(|change| change.path.clone()).collect::<Vec<_>>();
        assert_eq!(paths(&changes.created), ["d"]);
        assert_eq!(paths(&changes.changed), ["b"]);
        assert_eq!(paths(&changes.deleted), ["c"]);
        assert!(Changes::between(&before, &before).is_empty());
    }

    #[test]
    fn a_file_that_may_be_executed_now_is_another() {
        let before = manifest(&[("a", "1")]);
        let mut now = before.clone();
        now.entries.get_mut("a").unwrap().is_executable = true;
        assert_eq!(Changes::between(&before, &now).changed.len(), 1);
    }
}
