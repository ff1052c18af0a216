//! Why a command ends other than well: what happened, where, what to do about it, and with which status.

use crate::exit::Exit;
use std::fmt;
use std::io;

/// The end of a command that did not do what was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    /// How the program ends.
    pub(crate) exit: Exit,
    what: String,
    mend: Option<String>,
    /// What a server answered, where one was asked.
    pub(crate) answer: Answer,
}

/// What a server answered that did not do what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Answer {
    /// None was asked, or it answered something odd.
    #[default]
    None,
    /// It could not be reached.
    Unreachable,
    /// This status of HTTP.
    Status(u16),
}

/// The result of everything that a command does.
pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

impl Failure {
    /// What was asked failed.
    pub(crate) fn failed(what: impl Into<String>) -> Self {
        Self::new(Exit::Failed, what)
    }

    /// The call or the environment is wrong.
    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self::new(Exit::Usage, what)
    }

    /// Any end, said in words.
    pub(crate) fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self { exit, what: what.into(), mend: None, answer: Answer::None }
    }

    /// Ends with a status and says nothing, because everything was said.
    pub(crate) const fn silent(exit: Exit) -> Self {
        Self { exit, what: String::new(), mend: None, answer: Answer::None }
    }

    /// Adds what to do about it.
    #[must_use]
    pub(crate) fn mend(mut self, mend: impl Into<String>) -> Self {
        self.mend = Some(mend.into());
        self
    }

    /// Adds what a server answered.
    #[must_use]
    pub(crate) const fn answered(mut self, answer: Answer) -> Self {
        self.answer = answer;
        self
    }

    /// Tells whether there is nothing to print.
    pub(crate) const fn is_silent(&self) -> bool {
        self.what.is_empty()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(self.what.trim_end_matches('.')))?;
        match &self.mend {
            Some(mend) => write!(f, "; {}", shown(mend)),
            None => Ok(()),
        }
    }
}

/// Takes away what a terminal would obey: the words may be those of a server or a file.
fn shown(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' && c != '\t' { '\u{fffd}' } else { c }).collect()
}

/// Says with which file the system refused what, and why.
pub(crate) fn file(doing: &'static str, path: &std::path::Path) -> impl FnOnce(io::Error) -> Failure + use<> {
    let path = path.display().to_string();
    move |error| Failure::usage(format!("{doing} {path}: {}", in_words(&error)))
}

/// Returns what the system says, without the number that follows it.
pub(crate) fn in_words(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_one_line_with_its_mend() {
        let failure = Failure::usage("port 1 is taken.").mend("choose another with --listen");
        assert_eq!(failure.to_string(), "port 1 is taken; choose another with --listen");
        let refused = file("writing", std::path::Path::new("/x"))(io::Error::from_raw_os_error(13));
        assert_eq!(refused.to_string(), "writing /x: permission denied");
    }

    #[test]
    fn a_failure_commands_no_terminal() {
        let failure = Failure::failed("a\u{1b}[2J\nb").mend("c\u{9b}d");
        assert_eq!(failure.to_string(), "a\u{fffd}[2J\nb; c\u{fffd}d");
    }
}
