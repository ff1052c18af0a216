//! What is wrong with a file, where, and what to do about it.

use serde::Serialize;
use std::fmt;

/// How much a problem weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Said for completeness: nothing was guessed.
    Note,
    /// The file is used, and something about it was guessed or set aside.
    Warning,
    /// The file is not used.
    Error,
}

/// One thing that is wrong in one file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// The file, relative to the folder that was read.
    pub path: String,
    /// The line, from 1.
    pub line: u64,
    /// The column, from 1.
    pub column: u64,
    /// How much it weighs.
    pub severity: Severity,
    /// What kind of problem it is: a stable word.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub mend: String,
}

impl Problem {
    /// Makes a problem of the first line; [`Problem::at`] moves it.
    pub fn new(path: &str, severity: Severity, code: &'static str, message: impl Into<String>) -> Self {
        let (path, message) = (path.to_owned(), message.into());
        Self { path, line: 1, column: 1, severity, code, message, mend: String::new() }
    }

    /// Says where it is; a place that is not known is the beginning.
    #[must_use]
    pub fn at(mut self, line: u64, column: u64) -> Self {
        (self.line, self.column) = (line.max(1), column.max(1));
        self
    }

    /// Says what to do about it.
    #[must_use]
    pub fn mend(mut self, mend: impl Into<String>) -> Self {
        self.mend = mend.into();
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, column, message, mend, .. } = self;
        write!(f, "{path}:{line}:{column}: {message}")?;
        if mend.is_empty() { Ok(()) } else { write!(f, "; {mend}") }
    }
}
