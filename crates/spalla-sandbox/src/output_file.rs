//! What a command writes, kept in one file: frames of both streams in the order in which they came. Beyond the bound it is
//! read and thrown away, so that the command never waits, and counted.
//!
//! A frame is one byte for the stream, four for the length, the greatest first, and so many bytes.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// The longest frame, in bytes: what a pipe holds.
pub(crate) const FRAME_BYTES_MAX: usize = 64 * 1024;
/// What stands in front of a frame's bytes.
const HEAD_BYTES: usize = 5;

/// The stream that a command wrote to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputStream {
    /// Its standard output.
    Stdout,
    /// Its standard error.
    Stderr,
}

/// The file as its one writer has it.
#[derive(Debug)]
pub(crate) struct OutputWriter {
    file: File,
    written: u64,
    bytes_max: u64,
    dropped: u64,
}

impl OutputWriter {
    pub(crate) fn new(file: File, bytes_max: u64) -> Self {
        Self { file, written: 0, bytes_max, dropped: 0 }
    }

    /// Adds bytes of a stream, as far as there is room. Once something was left out, nothing more is kept: what is kept
    /// is the beginning.
    pub(crate) fn add(&mut self, stream: OutputStream, bytes: &[u8]) {
        let room = self.bytes_max.saturating_sub(self.written).saturating_sub(HEAD_BYTES as u64);
        let room = if self.dropped > 0 { 0 } else { usize::try_from(room).unwrap_or(usize::MAX) };
        let kept = &bytes[..room.min(bytes.len())];
        let is_kept = kept.is_empty() || self.append(stream, kept).is_ok();
        // What the disk does not take is as good as beyond the bound.
        let kept = if is_kept { kept.len() } else { 0 };
        self.dropped += (bytes.len() - kept) as u64;
    }

    /// Returns how many bytes were left out.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }

    fn append(&mut self, stream: OutputStream, bytes: &[u8]) -> io::Result<()> {
        let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
        let mut frame = Vec::with_capacity(HEAD_BYTES + bytes.len());
        frame.push(match stream {
            OutputStream::Stdout => 1,
            OutputStream::Stderr => 2,
        });
        frame.extend(length.to_be_bytes());
        frame.extend(bytes);
        // Half a frame that a full disk took is behind the end of what counts.
        io::Write::write_all(&mut self.file, &frame)?;
        self.written += frame.len() as u64;
        Ok(())
    }
}

/// The file as somebody reads it who may come before its end is written.
#[derive(Debug)]
pub struct OutputReader {
    file: File,
    at: u64,
}

impl OutputReader {
    /// Opens a file at its beginning.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { file: File::open(path)?, at: 0 })
    }

    /// Reads the next frame that is whole; none where nothing more is there yet.
    pub fn next(&mut self, bytes: &mut Vec<u8>) -> io::Result<Option<OutputStream>> {
        let mut head = [0; HEAD_BYTES];
        if !self.fill(&mut head, self.at)? {
            return Ok(None);
        }
        let [stream, length @ ..] = head;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        let stream = match stream {
            1 if length <= FRAME_BYTES_MAX => OutputStream::Stdout,
            2 if length <= FRAME_BYTES_MAX => OutputStream::Stderr,
            _ => return Err(io::Error::new(io::ErrorKind::InvalidData, "the kept output has no such frame")),
        };
        bytes.resize(length, 0);
        if !self.fill(bytes, self.at + HEAD_BYTES as u64)? {
            return Ok(None);
        }
        self.at += (HEAD_BYTES + length) as u64;
        Ok(Some(stream))
    }

    fn fill(&self, bytes: &mut [u8], at: u64) -> io::Result<bool> {
        match self.file.read_exact_at(bytes, at) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use OutputStream::{Stderr, Stdout};

    fn read(reader: &mut OutputReader) -> Vec<(OutputStream, Vec<u8>)> {
        let (mut seen, mut bytes) = (Vec::new(), Vec::new());
        while let Some(stream) = reader.next(&mut bytes).unwrap() {
            seen.push((stream, bytes.clone()));
        }
        seen
    }

    #[test]
    fn both_streams_are_read_back_in_their_order_while_they_are_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("output");
        let mut writer = OutputWriter::new(File::create(&path).unwrap(), 1_000);
        let mut reader = OutputReader::open(&path).unwrap();
        assert_eq!(read(&mut reader), []);
        writer.add(Stdout, b"one\n");
        writer.add(Stderr, b"two\n");
        assert_eq!(read(&mut reader), [(Stdout, b"one\n".to_vec()), (Stderr, b"two\n".to_vec())]);
        writer.add(Stdout, b"three");
        assert_eq!(read(&mut reader), [(Stdout, b"three".to_vec())]);
    }

    #[test]
    fn beyond_the_bound_the_beginning_is_kept_and_the_rest_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("output");
        let mut writer = OutputWriter::new(File::create(&path).unwrap(), 20);
        for _ in 0..1_000 {
            writer.add(Stdout, b"12345678");
        }
        assert_eq!((writer.dropped(), std::fs::metadata(&path).unwrap().len()), (7_990, 20));
        let seen = read(&mut OutputReader::open(&path).unwrap());
        assert_eq!(seen, [(Stdout, b"12345678".to_vec()), (Stdout, b"12".to_vec())]);
    }

    #[test]
    fn half_a_frame_waits_and_what_is_none_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("output");
        std::fs::write(&path, b"\x01\0\0\0\x05ab").unwrap();
        assert_eq!(read(&mut OutputReader::open(&path).unwrap()), []);
        for wrong in [&b"\x03\0\0\0\x01a"[..], b"\x01\xff\0\0\0a"] {
            std::fs::write(&path, wrong).unwrap();
            assert!(OutputReader::open(&path).unwrap().next(&mut Vec::new()).is_err());
        }
    }
}
