//! Redaction of bytes that come in pieces: what may become a secret with the next piece waits for it.

use super::Redactor;
use std::fmt;
use std::sync::Arc;

/// Redacts one stream of bytes. What comes out is the same wherever the pieces were cut.
pub struct RedactorStream {
    redactor: Arc<Redactor>,
    /// The last byte that was written, if there is one, and those that wait.
    buffer: Vec<u8>,
    /// How many bytes of the buffer are written.
    written: usize,
    /// Where in the buffer the last mask ends.
    masked: usize,
}

impl RedactorStream {
    /// Begins a stream.
    pub fn new(redactor: Arc<Redactor>) -> Self {
        Self { redactor, buffer: Vec::new(), written: 0, masked: 0 }
    }

    /// Takes a piece, and adds to `out` what no later piece can change. What waits is the longest end that a form of a
    /// secret begins with, and the letter before it: after a line that has nothing of a secret, nothing.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        self.buffer.extend_from_slice(bytes);
        let decided = self.redactor.undecided_from(&self.buffer).max(self.written);
        self.write_until(decided, out);
        let gone = decided.saturating_sub(1);
        self.buffer.drain(..gone);
        self.written = decided - gone;
        self.masked = self.masked.saturating_sub(gone);
    }

    /// Ends the stream, and adds to `out` what waited.
    pub fn finish(mut self, out: &mut Vec<u8>) {
        self.write_until(self.buffer.len(), out);
    }

    fn write_until(&mut self, end: usize, out: &mut Vec<u8>) {
        let spans = self.redactor.spans(&self.buffer);
        self.masked = self.redactor.write(&self.buffer, &spans, self.written..end, self.masked, out);
    }
}

/// Shows how much waits, and not what.
impl fmt::Debug for RedactorStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedactorStream").field("waiting_bytes", &(self.buffer.len() - self.written)).finish()
    }
}
