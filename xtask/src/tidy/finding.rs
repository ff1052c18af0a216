//! One thing a check has to say, and where.

use std::fmt;

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    /// Worth knowing; does not fail the run.
    Note,
    /// Has to be mended.
    Fault,
}

/// One thing a check has to say. Sorts by place, so that a file's findings stand together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    path: String,
    line: usize,
    message: String,
    weight: Weight,
}

impl Finding {
    /// Returns a finding that fails the run; lines count from 1.
    pub(crate) fn fault(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, message: message.into(), weight: Weight::Fault }
    }

    /// Returns a finding that is only printed.
    pub(crate) fn note(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, message: message.into(), weight: Weight::Note }
    }

    /// Tells whether this finding fails the run.
    pub(crate) fn is_fault(&self) -> bool {
        self.weight == Weight::Fault
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.is_fault() { "" } else { "note: " };
        write!(out, "{}:{}: {kind}{}", self.path, self.line, self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::Finding;

    #[test]
    fn a_finding_reads_as_path_line_message() {
        assert_eq!(Finding::fault("a/b.rs", 7, "too long").to_string(), "a/b.rs:7: too long");
        assert_eq!(Finding::note("a/b.rs", 1, "long").to_string(), "a/b.rs:1: note: long");
    }

    #[test]
    fn findings_sort_by_path_then_line() {
        let mut findings =
            [("b", 1), ("a", 10), ("a", 9)].map(|(path, line)| Finding::fault(path, line, "x"));
        findings.sort();
        let places: Vec<String> = findings.iter().map(ToString::to_string).collect();
        assert_eq!(places, ["a:9: x", "a:10: x", "b:1: x"]);
    }
}
