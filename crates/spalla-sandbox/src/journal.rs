//! What a supervisor writes down of its command, so that it is known how it ended even if nobody was there to be told.

use serde::{Deserialize, Serialize};
use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The longest journal that is read, in bytes: a line for each command of a run.
const BYTES_MAX: u64 = 1024 * 1024;

/// The end of one command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// What a person sees of it in the list of processes.
    pub label: String,
    /// Its exit status.
    pub code: i32,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// How many processes were left when it was over.
    pub leftovers: u32,
    /// How many even the kernel did not end.
    pub survivors: u32,
    /// Whether whoever wanted it was told.
    pub told: bool,
    /// Whether it was ended because nobody took it up again in time.
    #[serde(default)]
    pub lost: bool,
}

impl Entry {
    /// Adds the entry to a journal, which is its owner's alone.
    pub(crate) fn write(&self, journal: &Path) -> io::Result<()> {
        let mut line = serde_json::to_vec(self)?;
        line.push(b'\n');
        // One write, so that a line is whole or not there.
        OpenOptions::new().append(true).create(true).mode(0o600).open(journal)?.write_all(&line)
    }
}

/// Reads a journal; what is no entry is left out, and nothing is there when there is none.
pub fn read_journal(journal: &Path) -> Vec<Entry> {
    let mut text = String::new();
    let opened = OpenOptions::new().read(true).open(journal);
    let _ = opened.and_then(|file| file.take(BYTES_MAX).read_to_string(&mut text));
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_read_back_and_half_a_line_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let journal = folder.path().join("journal");
        assert_eq!(read_journal(&journal), []);
        let label = "run-1-1".to_owned();
        let entry =
            Entry { label, code: 3, signal: None, leftovers: 1, survivors: 0, told: false, lost: false };
        entry.write(&journal).unwrap();
        OpenOptions::new().append(true).open(&journal).unwrap().write_all(b"{\"label\": \"ru").unwrap();
        assert_eq!(read_journal(&journal), [entry]);
    }
}
