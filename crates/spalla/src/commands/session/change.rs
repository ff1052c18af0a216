//! What lies between two trees: each path with what stood there and what stands there. Names are bytes, as git has them.

use super::git::Git;
use crate::failure::{Failure, Result};

/// A path beneath the top of a tree.
pub(super) type Name = Vec<u8>;

/// The mode of a symbolic link.
pub(super) const LINK: u32 = 0o120_000;
/// The mode of a submodule: a commit of another repository.
pub(super) const SUBMODULE: u32 = 0o160_000;
/// The mode of a file that may be executed.
pub(super) const EXECUTABLE: u32 = 0o100_755;

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its mode.
    pub(super) mode: u32,
    /// The name of its content.
    pub(super) object: String,
}

/// A path at which two trees differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    /// The path.
    pub(super) path: Name,
    /// What the old tree has there.
    pub(super) old: Option<Entry>,
    /// What the new tree has there.
    pub(super) new: Option<Entry>,
}

impl Change {
    /// Tells whether the path is gone in the new tree.
    pub(super) fn is_removal(&self) -> bool {
        self.new.is_none()
    }

    /// Tells whether one of the two trees has a submodule there.
    pub(super) fn has_submodule(&self) -> bool {
        [&self.old, &self.new].into_iter().flatten().any(|entry| entry.mode == SUBMODULE)
    }
}

/// Returns every path at which two commits or trees differ.
pub(super) async fn between(git: &Git, old: &str, new: &str) -> Result<Vec<Change>> {
    let args = [
        "diff-tree",
        "-r",
        "-z",
        "--raw",
        "--no-abbrev",
        "--no-renames",
        "--no-ext-diff",
        "--ignore-submodules=none",
        old,
        new,
    ];
    let said = git.succeed(&args).await?;
    parse(&said.stdout).ok_or_else(|| Failure::failed("git diff-tree gave an answer that can't be read"))
}

/// Reads `:<mode> <mode> <object> <object> <status>` and a path, each ended by a zero byte, to the end.
fn parse(text: &[u8]) -> Option<Vec<Change>> {
    let mut parts = text.split(|byte| *byte == 0);
    let mut changes = Vec::new();
    while let Some(header) = parts.next().filter(|header| !header.is_empty()) {
        let header = std::str::from_utf8(header).ok()?.strip_prefix(':')?;
        let words: Vec<&str> = header.split(' ').collect();
        let [old_mode, new_mode, old, new, _] = words.as_slice() else { return None };
        let path = parts.next().filter(|path| !path.is_empty())?.to_vec();
        changes.push(Change { path, old: entry(old_mode, old)?, new: entry(new_mode, new)? });
    }
    Some(changes)
}

/// Reads an entry; mode zero is nothing.
fn entry(mode: &str, object: &str) -> Option<Option<Entry>> {
    let mode = u32::from_str_radix(mode, 8).ok()?;
    Some((mode != 0).then(|| Entry { mode, object: object.to_owned() }))
}

/// Returns the folders above a path, the top one first, without the tree's own.
pub(super) fn folders_above(path: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    let slashes: Vec<usize> = (0..path.len()).filter(|index| path[*index] == b'/').collect();
    slashes.into_iter().map(|end| &path[..end])
}

/// Returns a name as it may be shown: one line, and nothing that steers a terminal.
pub(super) fn shown(name: &[u8]) -> String {
    let text = String::from_utf8_lossy(name);
    if text.chars().any(char::is_control) { format!("{text:?}") } else { text.into_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_as_they_are() {
        let text = b":000000 100644 00 aa A\0-a\nb\0:120000 000000 bb 00 D\0\xff\0";
        let added = Entry { mode: 0o100_644, object: "aa".into() };
        let removed = Entry { mode: LINK, object: "bb".into() };
        let expected = [
            Change { path: b"-a\nb".to_vec(), old: None, new: Some(added) },
            Change { path: b"\xff".to_vec(), old: Some(removed), new: None },
        ];
        assert_eq!(parse(text).unwrap(), expected);
        assert_eq!((parse(b""), parse(b"x\0y\0")), (Some(vec![]), None));
    }

    #[test]
    fn a_name_that_steers_a_terminal_is_quoted() {
        assert_eq!(
            (shown("ü b".as_bytes()).as_str(), shown(b"a\x1b[2J").as_str()),
            ("ü b", "\"a\\u{1b}[2J\"")
        );
        assert_eq!(folders_above(b"a/b/c").collect::<Vec<_>>(), [&b"a"[..], b"a/b"]);
    }
}
