//! Log batches that wait for the server, in order: the oldest in memory, the rest in a file, and in memory again
//! what the disk did not take.

#[cfg(test)]
mod fuzz;

use serde::{Deserialize, Serialize};
use spalla_crash::crash_point;
use spalla_domain::log::LogLine;
use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

/// What a line costs in memory beside its text, in bytes.
const LINE_OVERHEAD_BYTES: usize = 64;

/// Lines that are sent together, numbered from `first_seq`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Batch {
    pub(crate) first_seq: i64,
    pub(crate) lines: Vec<LogLine>,
}

/// The batches of one run that are not on the server yet.
#[derive(Debug)]
pub(crate) struct Spool {
    folder: PathBuf,
    memory_bytes_max: usize,
    memory: VecDeque<Batch>,
    memory_bytes: usize,
    file: Option<Overflow>,
    /// What came after the disk refused to take more.
    tail: VecDeque<Batch>,
}

/// The part on disk: a file without a name, so that it goes with the process, however that ends.
#[derive(Debug)]
struct Overflow {
    file: File,
    written_bytes: u64,
    read_bytes: u64,
    lengths: VecDeque<usize>,
}

impl Spool {
    /// Makes an empty spool; the file is made in the folder when it is needed.
    pub(crate) fn new(folder: PathBuf, memory_bytes_max: usize) -> Self {
        let empty = VecDeque::new;
        Self { folder, memory_bytes_max, memory: empty(), memory_bytes: 0, file: None, tail: empty() }
    }

    /// Adds a batch at the end. When the disk takes nothing it stays in memory, and there is no room for more.
    pub(crate) fn push(&mut self, batch: Batch) {
        let bytes = batch.bytes();
        let fits = self.memory.is_empty() || self.memory_bytes + bytes <= self.memory_bytes_max;
        let is_later = self.file.is_some() || !self.tail.is_empty();
        if fits && !is_later {
            self.memory_bytes += bytes;
            self.memory.push_back(batch);
        } else if !self.tail.is_empty() || self.write(&batch).is_err() {
            self.memory_bytes += bytes;
            self.tail.push_back(batch);
        }
    }

    /// Tells whether another batch may be added.
    pub(crate) fn has_room(&self) -> bool {
        self.tail.is_empty() || self.memory_bytes < self.memory_bytes_max
    }

    /// Tells whether all that waits is in memory, and less than so many bytes.
    pub(crate) fn is_below(&self, bytes: usize) -> bool {
        self.file.is_none() && self.memory_bytes < bytes
    }

    /// Returns the oldest batch.
    pub(crate) fn front(&mut self) -> Option<&Batch> {
        if self.memory.is_empty() {
            self.load();
        }
        if self.memory.is_empty() && self.file.is_none() {
            std::mem::swap(&mut self.memory, &mut self.tail);
        }
        self.memory.front()
    }

    /// Forgets the oldest batch.
    pub(crate) fn pop(&mut self) {
        if let Some(batch) = self.memory.pop_front() {
            self.memory_bytes -= batch.bytes();
        }
    }

    fn write(&mut self, batch: &Batch) -> io::Result<()> {
        let file = match self.file.take() {
            Some(file) => Ok(file),
            None => Overflow::in_folder(&self.folder),
        };
        let written = file.and_then(|file| self.file.insert(file).append(batch));
        written.inspect_err(|error| {
            tracing::warn!(folder = %self.folder.display(), %error, "the log spool can't be written");
        })
    }

    /// Brings the oldest batch of the file into memory; the last one takes the file with it.
    fn load(&mut self) {
        let Some(file) = &mut self.file else { return };
        match file.take() {
            Ok(Some(batch)) => {
                self.memory_bytes += batch.bytes();
                self.memory.push_back(batch);
            }
            Ok(None) => self.file = None,
            Err(error) => {
                tracing::error!(%error, "log lines are lost: the spool can't be read");
                self.file = None;
            }
        }
        if self.file.as_ref().is_some_and(|file| file.lengths.is_empty()) {
            self.file = None;
        }
    }
}

impl Overflow {
    fn in_folder(folder: &std::path::Path) -> io::Result<Self> {
        let file = crash_point!("worker.spool.create", tempfile::tempfile_in(folder))?;
        Ok(Self { file, written_bytes: 0, read_bytes: 0, lengths: VecDeque::new() })
    }

    /// Writes a batch behind the others. Half a batch that a full disk took is written over by the next one.
    fn append(&mut self, batch: &Batch) -> io::Result<()> {
        let bytes = serde_json::to_vec(batch)?;
        crash_point!("worker.spool.append", self.file.write_all_at(&bytes, self.written_bytes))?;
        self.written_bytes += bytes.len() as u64;
        self.lengths.push_back(bytes.len());
        Ok(())
    }

    fn take(&mut self) -> io::Result<Option<Batch>> {
        let Some(length) = self.lengths.pop_front() else { return Ok(None) };
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, self.read_bytes)?;
        self.read_bytes += length as u64;
        Ok(Some(serde_json::from_slice(&bytes)?))
    }
}

impl Batch {
    /// Returns what it takes in memory, roughly.
    pub(crate) fn bytes(&self) -> usize {
        self.lines.iter().map(cost_of_line).sum()
    }
}

/// Returns what a line takes in memory, roughly.
pub(crate) fn cost_of_line(line: &LogLine) -> usize {
    line.text.len() + LINE_OVERHEAD_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use spalla_domain::Timestamp;
    use spalla_domain::log::Stream;

    fn batch(n: i64) -> Batch {
        let line =
            LogLine { at: Timestamp::from_ms(n), stream: Stream::Stdout, step: None, text: "x".repeat(36) };
        Batch { first_seq: n, lines: vec![line] }
    }

    fn drain(spool: &mut Spool) -> Vec<i64> {
        let mut seen = Vec::new();
        while let Some(batch) = spool.front() {
            seen.push(batch.first_seq);
            spool.pop();
        }
        seen
    }

    #[test]
    fn what_memory_does_not_hold_goes_to_the_file_and_comes_back_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spool::new(folder.path().into(), 250);
        for n in 0..10 {
            spool.push(batch(n));
        }
        assert_eq!((spool.memory.len(), spool.file.as_ref().map(|file| file.lengths.len())), (2, Some(8)));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "a killed worker leaves no file");
        assert_eq!(drain(&mut spool), (0..10).collect::<Vec<_>>());
        assert!(spool.file.is_none());
    }

    #[test]
    fn without_a_disk_there_is_room_only_until_memory_is_full() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spool::new(folder.path().join("no/such/folder"), 250);
        for n in 0..3 {
            assert!(spool.has_room());
            spool.push(batch(n));
        }
        assert!(!spool.has_room());
        assert_eq!(drain(&mut spool), [0, 1, 2]);
        assert!(spool.has_room());
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_nothing_changes_its_place(pushes in prop::collection::vec(any::<bool>(), 0..60)) {
            let folder = tempfile::tempdir().unwrap();
            let mut spool = Spool::new(folder.path().into(), 250);
            let (mut next, mut seen) = (0, Vec::new());
            for push in pushes {
                if push {
                    spool.push(batch(next));
                    next += 1;
                } else if let Some(batch) = spool.front() {
                    seen.push(batch.first_seq);
                    spool.pop();
                }
            }
            seen.extend(drain(&mut spool));
            prop_assert_eq!(seen, (0..next).collect::<Vec<_>>());
        }
    }
}
