//! Patterns that are written in the code.

use regex::Regex;

/// Compiles one.
#[expect(clippy::expect_used, reason = "the patterns are written in the code, and tests use each")]
pub(crate) fn compiled(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a pattern that compiles")
}
