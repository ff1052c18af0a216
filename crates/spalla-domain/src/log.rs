//! Log lines of a run: their order, their streams, and how bytes that are no text are shown without losing any.

use crate::Timestamp;
use serde::{Deserialize, Serialize};

/// The longest line kept, in bytes; the rest of a longer one is cut with a notice by whoever reads the output.
pub const LINE_BYTES_MAX: usize = 64 * 1024;

/// Where a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// The step's standard output.
    #[default]
    Stdout,
    /// The step's standard error.
    Stderr,
    /// Spalla itself: what it does and why.
    System,
}

impl Stream {
    /// Returns the stream's name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
            Self::System => "system",
        }
    }
}

/// One line as a worker sends it; its number is its place in the batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogLine {
    /// When the line was read.
    pub at: Timestamp,
    /// Where it came from.
    #[serde(default)]
    pub stream: Stream,
    /// The recipe step, counted from 1; none outside steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<u32>,
    /// The text without its line end.
    pub text: String,
}

/// Returns the bytes as text; bytes that are no UTF-8 become `\xHH`, so that none is lost.
pub fn text_of(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02X}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_utf8_are_shown_and_not_lost() {
        assert_eq!(text_of(b"caf\xc3\xa9 \xff\xfe!"), "café \\xFF\\xFE!");
    }
}
