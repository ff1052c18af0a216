//! Log lines on the wire.

use super::number::StepNumber;
use super::words;
use serde::{Deserialize, Serialize};
use spalla_domain::log::{self, LINE_BYTES_MAX, LogLine};
use spalla_domain::{RunId, Timestamp};
use spalla_store::view::LogRecord;
use utoipa::ToSchema;

words! {
    /// Where a line came from.
    LogStream for log::Stream {
        /// The step's standard output.
        Stdout = "stdout",
        /// The step's standard error.
        Stderr = "stderr",
        /// Spalla itself: what it does and why.
        System = "system",
    }
}

/// A line of a run's log.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LogView {
    /// Its number; lines are in this order.
    seq: i64,
    /// When it was read.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Where it came from.
    stream: LogStream,
    /// The recipe step, from 1; null outside steps.
    step: Option<u32>,
    /// The text without its line end.
    text: String,
}

impl From<LogRecord> for LogView {
    fn from(record: LogRecord) -> Self {
        Self {
            seq: record.seq,
            at: record.at,
            stream: record.stream.into(),
            step: record.step,
            text: record.text,
        }
    }
}

/// A line as a worker sends it, one JSON object a line.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogLineBody {
    /// When the line was read; now when left out.
    #[schema(value_type = Option<String>, format = DateTime)]
    at: Option<Timestamp>,
    /// Where it came from; `stdout` when left out.
    stream: Option<LogStream>,
    /// The recipe step, from 1; left out outside steps.
    #[schema(inline)]
    step: Option<StepNumber>,
    /// The text without its line end.
    text: String,
}

impl LogLineBody {
    /// Returns the line, as long as it is.
    pub(crate) fn into_line(self, now: Timestamp) -> LogLine {
        LogLine {
            at: self.at.unwrap_or(now),
            stream: self.stream.map(Into::into).unwrap_or_default(),
            step: self.step.map(StepNumber::small),
            text: self.text,
        }
    }
}

/// Makes a line of plain text, as long as it is.
pub(crate) fn plain(bytes: &[u8], now: Timestamp) -> LogLine {
    LogLine { at: now, stream: log::Stream::default(), step: None, text: log::text_of(bytes) }
}

/// Cuts a line that is longer than what is kept, and says so in it.
pub(crate) fn cut(mut text: String) -> String {
    let bytes = text.len();
    if bytes > LINE_BYTES_MAX {
        let notice = format!(" … [cut: the line had {bytes} bytes]");
        text.truncate(text.floor_char_boundary(LINE_BYTES_MAX - notice.len()));
        text.push_str(&notice);
    }
    text
}

/// What became of the lines that were sent.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Kept {
    /// The run.
    run_id: i64,
    /// The number that the next line will get.
    next_seq: i64,
}

impl Kept {
    /// Says where the log goes on.
    pub(crate) const fn new(run_id: RunId, next_seq: i64) -> Self {
        Self { run_id: run_id.0, next_seq }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_too_long_is_cut_with_a_notice_and_stays_text() {
        let line = cut("ä".repeat(LINE_BYTES_MAX));
        assert!(
            line.len() <= LINE_BYTES_MAX && line.ends_with(&format!("had {} bytes]", 2 * LINE_BYTES_MAX))
        );
        assert_eq!(cut("short".into()), "short");
    }
}
