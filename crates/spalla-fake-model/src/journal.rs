//! What was asked and answered, in the order in which it came: for tests to look at, and as lines of JSON in a file.

use crate::provider::{Dialect, Provider};
use serde::Serialize;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// So many entries are kept in memory; the file has them all.
const ENTRIES_MAX: usize = 100_000;

/// A text is kept up to so many characters: enough to look at, and a conversation of megabytes stays one line.
const TEXT_MAX: usize = 20_000;

/// One request and what it was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Its number, from 1.
    pub number: u64,
    /// When it came, in milliseconds since 1970.
    pub at_ms: i64,
    /// Whose protocol it spoke.
    pub provider: Provider,
    /// The form of it; none where it asked for no answer of a model.
    pub dialect: Option<Dialect>,
    /// Method and path.
    pub route: String,
    /// The key that it carried.
    pub key: String,
    /// The conversation that it belonged to.
    pub run: String,
    /// The model that it named.
    pub model: String,
    /// A digest of its body.
    pub digest: String,
    /// The names of the tools on offer.
    pub tools: Vec<String>,
    /// The folder in which the CLI said that it works.
    pub folder: Option<String>,
    /// The person's last words.
    pub user: String,
    /// The results of tools since then.
    pub results: Vec<String>,
    /// The rule that answered.
    pub rule: Option<String>,
    /// The answer in a few words.
    pub answer: String,
    /// The status that went back.
    pub status: u16,
}

/// The journal of a server.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    pages: Mutex<Pages>,
    written: Condvar,
}

#[derive(Debug, Default)]
struct Pages {
    count: u64,
    entries: Vec<Entry>,
    file: Option<File>,
}

impl Journal {
    /// Opens a journal that is also appended to a file.
    pub(crate) fn open(path: Option<&Path>) -> io::Result<Self> {
        let append = |path| File::options().create(true).append(true).open(path);
        let file = path.map(append).transpose()?;
        let pages = Pages { file, ..Pages::default() };
        Ok(Self { pages: Mutex::new(pages), written: Condvar::new() })
    }

    /// Writes an entry down and gives it its number.
    pub(crate) fn write(&self, mut entry: Entry) -> io::Result<()> {
        entry.user = shortened(entry.user);
        entry.results = entry.results.into_iter().map(shortened).collect();
        let mut pages = self.pages();
        pages.count += 1;
        entry.number = pages.count;
        let mut line = serde_json::to_string(&entry)?;
        line.push('\n');
        if pages.entries.len() < ENTRIES_MAX {
            pages.entries.push(entry);
        }
        self.written.notify_all();
        // One write for each line, so that a reader never sees half of one.
        pages.file.as_mut().map_or(Ok(()), |file| file.write_all(line.as_bytes()))
    }

    /// Returns what was written down so far.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.pages().entries.clone()
    }

    /// Waits until the entries are as wanted; returns whether they were in time.
    pub(crate) fn wait_for(&self, limit: Duration, mut is_wanted: impl FnMut(&[Entry]) -> bool) -> bool {
        let end = Instant::now() + limit;
        let mut pages = self.pages();
        while !is_wanted(&pages.entries) {
            let Some(left) = end.checked_duration_since(Instant::now()) else { return false };
            pages = self.written.wait_timeout(pages, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// A thread that panicked while it wrote left whole entries: what is there can be read on.
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn shortened(text: String) -> String {
    match text.char_indices().nth(TEXT_MAX) {
        Some((end, _)) => text[..end].to_owned(),
        None => text,
    }
}
