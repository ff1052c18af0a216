//! Opens a file of the tree and reads it within a bound; a path that leads through a symbolic link is
//! refused.

use crate::beneath::Beneath;
use std::io::{self, Read as _};
use std::path::Path;

/// What reading a file gave.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Text(String),
    Binary,
    NotUtf8,
    Oversize,
    Unreadable,
}

/// Reads files below one root.
#[derive(Debug)]
pub(crate) struct Reader {
    beneath: Beneath,
}

/// A NUL among the first bytes marks a binary file, as git has it.
const BINARY_PROBE_BYTES: usize = 8_000;

impl Reader {
    /// Opens the root.
    pub(crate) fn open(root: &Path) -> io::Result<Self> {
        Ok(Self { beneath: Beneath::open(root)? })
    }

    /// Reads a file by its path relative to the root.
    pub(crate) fn read(&self, path: &str, bytes_max: u64) -> Content {
        let Ok(file) = self.beneath.file(path) else { return Content::Unreadable };
        let mut bytes = Vec::new();
        // The tree may change under the reader: the bound holds for what is read, not for what was listed.
        if file.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes).is_err() {
            return Content::Unreadable;
        }
        if bytes.len() as u64 > bytes_max {
            return Content::Oversize;
        }
        classify(bytes)
    }
}

fn classify(bytes: Vec<u8>) -> Content {
    if bytes.iter().take(BINARY_PROBE_BYTES).any(|byte| *byte == 0) {
        return Content::Binary;
    }
    match String::from_utf8(bytes) {
        Ok(mut text) => {
            if text.starts_with('\u{feff}') {
                text.drain(..'\u{feff}'.len_utf8());
            }
            Content::Text(text)
        }
        Err(_) => Content::NotUtf8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_told_apart_and_bounded() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let write =
            |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).expect("written");
        write("text", "\u{feff}hé".as_bytes());
        write("binary", b"a\0b");
        write("latin", b"h\xe9");
        write("large", &[b'x'; 11]);
        let reader = Reader::open(folder.path()).expect("opens");
        assert_eq!(reader.read("text", 10), Content::Text(String::from("hé")));
        assert_eq!(reader.read("binary", 10), Content::Binary);
        assert_eq!(reader.read("latin", 10), Content::NotUtf8);
        assert_eq!(reader.read("large", 10), Content::Oversize);
        assert_eq!(reader.read("absent", 10), Content::Unreadable);
    }

    #[test]
    fn path_that_leads_out_of_the_root_is_refused() {
        let outside = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(outside.path().join("secret"), "x").expect("written");
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::os::unix::fs::symlink(outside.path(), folder.path().join("link")).expect("link is made");
        std::os::unix::fs::symlink(outside.path().join("secret"), folder.path().join("file"))
            .expect("link is made");
        let reader = Reader::open(folder.path()).expect("opens");
        assert_eq!(reader.read("file", 10), Content::Unreadable);
        assert_eq!(reader.read("link/secret", 10), Content::Unreadable);
    }
}
