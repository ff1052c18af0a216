//! What a person sees while a session is pursued.

use crate::failure::Result;
use crate::output;
use std::fmt::Display;

/// Who looks on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Screen {
    /// A person at a terminal.
    Person {
        /// Only what matters is printed.
        is_quiet: bool,
    },
    /// A program, which is given one JSON object at the end.
    Program,
    /// Nobody: a server pursues it.
    Nobody,
}

impl Screen {
    /// Prints a line that matters.
    pub(crate) fn say(&self, text: impl Display) -> Result<()> {
        match self {
            Self::Person { .. } => output::line(text),
            Self::Program | Self::Nobody => Ok(()),
        }
    }

    /// Prints a line about the progress.
    pub(crate) fn progress(&self, text: impl Display) -> Result<()> {
        if *self == (Self::Person { is_quiet: false }) { output::line(text) } else { Ok(()) }
    }
}
