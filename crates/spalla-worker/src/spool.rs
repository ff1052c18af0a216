//! Log batches that wait for the server, in order: the oldest in memory, the rest in a file, and in memory again
//! what the disk did not take.

use serde::{Deserialize, Serialize};
use spalla_domain::log::LogLine;
use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
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
    path: PathBuf,
    memory_bytes_max: usize,
    memory: VecDeque<Batch>,
    memory_bytes: usize,
    file: Option<Overflow>,
    /// What came after the disk refused to take more.
    tail: VecDeque<Batch>,
}

/// The part on disk: written at the end, read from the beginning.
#[derive(Debug)]
struct Overflow {
    writer: File,
    bytes: u64,
    reader: BufReader<File>,
    unread: usize,
}

impl Spool {
    /// Makes an empty spool; the file is made when it is needed.
    pub(crate) fn new(path: PathBuf, memory_bytes_max: usize) -> Self {
        let empty = VecDeque::new;
        Self { path, memory_bytes_max, memory: empty(), memory_bytes: 0, file: None, tail: empty() }
    }

    /// Adds a batch at the end. When the disk takes nothing it stays in memory, and there is no room for more.
    pub(crate) fn push(&mut self, batch: Batch) {
        let bytes = cost(&batch);
        let fits = self.memory.is_empty() || self.memory_bytes + bytes <= self.memory_bytes_max;
        let later = self.file.is_some() || !self.tail.is_empty();
        if fits && !later {
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
            self.memory_bytes -= cost(&batch);
        }
    }

    fn write(&mut self, batch: &Batch) -> io::Result<()> {
        self.append(batch).inspect_err(|error| {
            tracing::warn!(path = %self.path.display(), %error, "the log spool can't be written");
        })
    }

    fn append(&mut self, batch: &Batch) -> io::Result<()> {
        let mut line = serde_json::to_vec(batch)?;
        line.push(b'\n');
        if self.file.is_none() {
            let writer = File::options().create(true).truncate(true).write(true).open(&self.path)?;
            let reader = BufReader::new(File::open(&self.path)?);
            self.file = Some(Overflow { writer, bytes: 0, reader, unread: 0 });
        }
        let Some(file) = &mut self.file else { return Err(io::ErrorKind::NotFound.into()) };
        if let Err(error) = file.writer.write_all(&line) {
            // A half-written line would be read as one.
            file.writer.set_len(file.bytes)?;
            io::Seek::seek(&mut file.writer, io::SeekFrom::Start(file.bytes))?;
            return Err(error);
        }
        file.bytes += line.len() as u64;
        file.unread += 1;
        Ok(())
    }

    /// Brings the oldest batch of the file into memory; the last one takes the file with it.
    fn load(&mut self) {
        let Some(file) = &mut self.file else { return };
        let mut line = String::new();
        let batch = match file.reader.read_line(&mut line) {
            Ok(_) => serde_json::from_str::<Batch>(&line).map_err(io::Error::from),
            Err(error) => Err(error),
        };
        file.unread = file.unread.saturating_sub(1);
        if file.unread == 0 || batch.is_err() {
            self.remove();
        }
        match batch {
            Ok(batch) => {
                self.memory_bytes += cost(&batch);
                self.memory.push_back(batch);
            }
            Err(error) => {
                tracing::error!(path = %self.path.display(), %error, "log lines are lost: the spool can't be read");
            }
        }
    }

    fn remove(&mut self) {
        if self.file.take().is_some() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        self.remove();
    }
}

fn cost(batch: &Batch) -> usize {
    batch.lines.iter().map(cost_of_line).sum()
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
        let path = folder.path().join("spool");
        let mut spool = Spool::new(path.clone(), 250);
        for n in 0..10 {
            spool.push(batch(n));
        }
        assert_eq!(spool.memory.len(), 2);
        assert!(path.exists());
        assert_eq!(drain(&mut spool), (0..10).collect::<Vec<_>>());
        assert!(!path.exists(), "an empty spool leaves no file");
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
            let mut spool = Spool::new(folder.path().join("spool"), 250);
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
