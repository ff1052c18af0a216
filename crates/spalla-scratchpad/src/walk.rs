//! Walks a tree that anybody may have made: in one order, without following links, to a depth and up to a number of
//! entries. What is not seen is said.

use crate::folder::{Folder, kind_of};
use rustix::fs::{FileType, Stat};
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;

/// How many entries are looked at: far more than a task makes.
pub(crate) const ENTRIES_MAX: usize = 200_000;
/// How deep is looked; each level is a folder that is held open.
pub(crate) const DEPTH_MAX: usize = 100;

/// What is walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    /// Everything.
    All,
    /// Everything but what is git's own.
    WithoutGit,
}

/// Something that is no folder.
pub(crate) struct Found<'a> {
    /// Its path from the top.
    pub(crate) path: &'a [u8],
    /// The folder that it stands in.
    pub(crate) folder: &'a Folder,
    /// Its name there.
    pub(crate) name: &'a OsStr,
    /// What it is.
    pub(crate) stat: Stat,
}

/// How much was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    /// How many folders, without the top.
    pub(crate) folders: u64,
    /// Whether everything was seen.
    pub(crate) is_whole: bool,
}

/// Walks what is in a folder.
pub(crate) fn walk(
    top: &Folder,
    which: Which,
    visit: &mut dyn FnMut(&Found<'_>) -> io::Result<()>,
) -> io::Result<Extent> {
    let device = top.own_stat()?.st_dev;
    let extent = Extent { folders: 0, is_whole: true };
    let mut walk = Walk { which, device, left: ENTRIES_MAX, extent, visit };
    walk.enter(top, &mut Vec::new(), 0)?;
    Ok(walk.extent)
}

struct Walk<'a> {
    which: Which,
    device: u64,
    left: usize,
    extent: Extent,
    visit: &'a mut dyn FnMut(&Found<'_>) -> io::Result<()>,
}

impl Walk<'_> {
    fn enter(&mut self, folder: &Folder, path: &mut Vec<u8>, depth: usize) -> io::Result<()> {
        let (names, are_all) = folder.names(self.left)?;
        self.left = self.left.saturating_sub(names.len());
        self.extent.is_whole &= are_all;
        let above = path.len();
        for name in &names {
            if self.which == Which::WithoutGit && is_git(name) {
                continue;
            }
            // Whoever works there may take it away meanwhile.
            let Some(stat) = folder.stat(name)? else { continue };
            if above > 0 {
                path.push(b'/');
            }
            path.extend_from_slice(name.as_bytes());
            if kind_of(&stat) == FileType::Directory {
                self.below(folder, name, &stat, path, depth)?;
            } else {
                (self.visit)(&Found { path, folder, name, stat })?;
            }
            path.truncate(above);
        }
        Ok(())
    }

    fn below(
        &mut self,
        folder: &Folder,
        name: &OsStr,
        stat: &Stat,
        path: &mut Vec<u8>,
        depth: usize,
    ) -> io::Result<()> {
        self.extent.folders += 1;
        // What is mounted there is somebody else's.
        if depth >= DEPTH_MAX || stat.st_dev != self.device {
            self.extent.is_whole = false;
            return Ok(());
        }
        match folder.sub(name) {
            Ok(below) => self.enter(&below, path, depth + 1),
            Err(_) => {
                self.extent.is_whole = false;
                Ok(())
            }
        }
    }
}

/// Tells whether a name is git's own, on file systems that know no capitals too.
pub(crate) fn is_git(name: &OsStr) -> bool {
    name.eq_ignore_ascii_case(".git")
}

/// Returns how many bytes something takes: a file with holes takes no more than what is in it.
pub(crate) fn bytes_of(stat: &Stat) -> u64 {
    if kind_of(stat) != FileType::RegularFile {
        return 0;
    }
    let blocks = u64::try_from(stat.st_blocks).unwrap_or_default();
    taken_of(u64::try_from(stat.st_size).unwrap_or_default(), blocks)
}

/// Returns how many bytes a file of this length takes that has so many blocks.
pub(crate) fn taken_of(size: u64, blocks: u64) -> u64 {
    // Small files may stand in the folder itself and take no blocks.
    if blocks == 0 { size.min(4_096) } else { size.min(blocks.saturating_mul(512)) }
}

/// Returns a path as text that can be read back by people: what is no text or steers a terminal is written as `\xNN`.
pub(crate) fn shown(path: &[u8]) -> String {
    let mut text = String::with_capacity(path.len());
    for chunk in path.utf8_chunks() {
        for letter in chunk.valid().chars() {
            match letter {
                '\\' => text.push_str("\\\\"),
                letter if letter.is_control() => {
                    let mut bytes = [0; 4];
                    letter.encode_utf8(&mut bytes).bytes().for_each(|byte| push_hex(&mut text, byte));
                }
                letter => text.push(letter),
            }
        }
        chunk.invalid().iter().for_each(|byte| push_hex(&mut text, *byte));
    }
    text
}

fn push_hex(text: &mut String, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    text.push_str("\\x");
    text.push(char::from(DIGITS[usize::from(byte >> 4)]));
    text.push(char::from(DIGITS[usize::from(byte & 15)]));
}

/// Reads a path that was written by [`shown`].
pub(crate) fn hidden(text: &str) -> Vec<u8> {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let bytes = text.as_bytes();
    let (mut path, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(byte) = bytes.get(at) {
        let written = (byte, bytes.get(at + 1), digit(bytes.get(at + 2)), digit(bytes.get(at + 3)));
        let (byte, length) = match written {
            (b'\\', Some(b'x'), Some(high), Some(low)) => ((high * 16 + low) as u8, 4),
            (b'\\', Some(b'\\'), ..) => (b'\\', 2),
            (byte, ..) => (*byte, 1),
        };
        path.push(byte);
        at += length;
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn paths(top: &std::path::Path, which: Which) -> (Vec<String>, Extent) {
        let mut found = Vec::new();
        let folder = Folder::open(top).unwrap();
        let extent = walk(&folder, which, &mut |entry| {
            found.push(shown(entry.path));
            Ok(())
        });
        (found, extent.unwrap())
    }

    #[test]
    fn a_tree_is_walked_in_order_and_no_link_is_followed() {
        let top = tempfile::tempdir().unwrap();
        fs::create_dir_all(top.path().join("a/.git")).unwrap();
        fs::write(top.path().join("a/.git/config"), "x").unwrap();
        fs::write(top.path().join("a/file"), "x").unwrap();
        symlink("/", top.path().join("b")).unwrap();
        let (found, extent) = paths(top.path(), Which::WithoutGit);
        assert_eq!(found, ["a/file", "b"]);
        assert_eq!(extent, Extent { folders: 1, is_whole: true });
        assert_eq!(paths(top.path(), Which::All).0, ["a/.git/config", "a/file", "b"]);
    }

    #[test]
    fn what_is_too_deep_is_said_and_not_walked() {
        let top = tempfile::tempdir().unwrap();
        fs::create_dir_all(top.path().join("d/".repeat(DEPTH_MAX + 5))).unwrap();
        let (found, extent) = paths(top.path(), Which::All);
        assert!(found.is_empty() && !extent.is_whole);
    }

    #[test]
    fn a_path_that_is_no_text_is_shown_in_one_way() {
        assert_eq!(shown(b"a\xff\\\n\xc3\xa9"), "a\\xff\\\\\\x0a\u{e9}");
        for path in [&b"a\xff\\\n\xc3\xa9"[..], b"\\x41", b"\\\\x", b"a/b", b"\\", b"\xc2\x85"] {
            assert_eq!(hidden(&shown(path)), path);
        }
    }
}
