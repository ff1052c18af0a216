//! Log lines are never rows: consecutive lines of a run are kept as one compressed chunk.

use crate::error::StoreError;
use crate::view::LogRecord;
use crate::zstd_frame;
use serde::{Deserialize, Serialize};
use spalla_domain::log::{LogLine, Stream};
use spalla_domain::{RunId, Timestamp, WorkItemId};
use std::borrow::Cow;

/// Makes the first line of every run's log, which is not kept: it says what the record says.
pub(crate) fn first_line(run: RunId, item: WorkItemId, attempt: u32, created_at: Timestamp) -> LogRecord {
    let text = format!("Starting run {run} of work item {item} (attempt {attempt})");
    LogRecord { seq: 0, at: created_at, stream: Stream::System, step: None, text }
}

/// A line as it is kept: its number follows from its place, and a moment is a number, because that is read and written
/// many times faster than a date.
#[derive(Serialize, Deserialize)]
struct Kept<'a> {
    at_ms: i64,
    stream: Stream,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    step: Option<u32>,
    text: Cow<'a, str>,
}

/// Packs lines into a chunk: one JSON line each, then zstd.
pub(crate) fn pack(lines: &[LogLine]) -> Result<Vec<u8>, StoreError> {
    let mut plain = Vec::with_capacity(lines.iter().map(|line| line.text.len() + 80).sum());
    for LogLine { at, stream, step, text } in lines {
        let kept = Kept { at_ms: at.ms(), stream: *stream, step: *step, text: Cow::Borrowed(text) };
        serde_json::to_writer(&mut plain, &kept)
            .map_err(|e| StoreError::Corrupt(format!("packing a log line: {e}")))?;
        plain.push(b'\n');
    }
    zstd_frame::compress(&plain).map_err(|e| StoreError::Corrupt(format!("compressing log lines: {e}")))
}

/// Unpacks a chunk; the lines are numbered from `first_seq`.
pub(crate) fn unpack(first_seq: i64, data: &[u8]) -> Result<Vec<LogRecord>, StoreError> {
    let plain = zstd_frame::decompress(data)
        .map_err(|e| StoreError::Corrupt(format!("decompressing log lines: {e}")))?;
    plain
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .zip(first_seq..)
        .map(|(line, seq)| {
            let Kept { at_ms, stream, step, text } = serde_json::from_slice(line)
                .map_err(|e| StoreError::Corrupt(format!("log line {seq}: {e}")))?;
            Ok(LogRecord { seq, at: Timestamp::from_ms(at_ms), stream, step, text: text.into_owned() })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_back_as_they_went_in() {
        let line = |text: &str| LogLine {
            at: Timestamp::from_ms(5),
            stream: Stream::Stderr,
            step: Some(2),
            text: text.to_owned(),
        };
        let lines = ["", "a\tb", "naïve \u{0} \n inside"].map(line);
        let back = unpack(7, &pack(&lines).unwrap()).unwrap();
        assert_eq!(
            back.iter().map(|r| (r.seq, r.text.as_str())).collect::<Vec<_>>(),
            [(7, ""), (8, "a\tb"), (9, "naïve \u{0} \n inside"),]
        );
    }

    #[test]
    fn a_chunk_that_says_it_is_longer_than_any_memory_is_refused() {
        let eight_bytes_of_length = [0x28, 0xb5, 0x2f, 0xfd, 0xe0];
        let chunk = [&eight_bytes_of_length[..], &[0xff; 7], &[0x7f, 1, 0, 0]].concat();
        assert!(unpack(0, &chunk).unwrap_err().to_string().contains("decompressing log lines"));
    }
}
