//! What a pipeline of somebody's CI is told of a session: JUnit, SARIF, a step's summary, and annotations. It reads the record
//! and what the built-in agents reported; it changes neither.
//!
//! ```text
//! record, reports ─► gathered ─► without secrets ─┬─► junit.xml
//!                                                 ├─► report.sarif
//!                                                 ├─► summary.md, or the file of $GITHUB_STEP_SUMMARY
//!                                                 └─► ::error file=…::  where GitHub Actions runs it
//! ```

mod annotate;
mod files;
mod found;
mod gathered;
mod hidden;
mod junit;
mod sarif;
mod summary;

pub(crate) use annotate::Quiet;
pub(crate) use files::{Runner, write};
pub(crate) use found::{Found, Level};
pub(crate) use gathered::{Gathered, Verdict};
pub(crate) use hidden::Hidden;

/// The longest text of one case or finding, in bytes; what is longer keeps its beginning and its end.
const TEXT_BYTES_MAX: usize = 16 * 1024;

/// Returns at most so many bytes of a text: its beginning and its end, which say most.
fn bounded(text: &str, bytes_max: usize) -> String {
    if text.len() <= bytes_max {
        return text.to_owned();
    }
    let half = bytes_max / 2;
    let (begin, end) = (text.floor_char_boundary(half), text.ceil_char_boundary(text.len() - half));
    format!("{}\n(… {} bytes are left out …)\n{}", &text[..begin], end - begin, &text[end..])
}

#[cfg(test)]
mod tests;
