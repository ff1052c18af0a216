//! How the program ends: one status per kind of end, the same for every command.

use std::process::ExitCode;

/// The end of the program as scripts see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// What was asked was done.
    Done,
    /// It failed.
    Failed,
    /// The call or the environment is wrong.
    Usage,
    /// A decision, a person or a conflict stopped it.
    Stopped,
    /// It waits for a person.
    Waits,
    /// Its time was over.
    TimedOut,
    /// A signal interrupted it.
    Interrupted,
    /// A task's command ended with this status, and so does the program.
    OfTask(u8),
}

/// What `--help` says about it, below every command.
pub(crate) const HELP: &str = "\
Exit status:
  0    done
  1    failed
  2    wrong usage or environment
  3    stopped by a decision, a person or a conflict
  4    waits for a person
  124  timed out
  130  interrupted";

impl Exit {
    /// Returns the number.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Stopped => 3,
            Self::Waits => 4,
            Self::TimedOut => 124,
            Self::Interrupted => 130,
            Self::OfTask(code) => code,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_names_every_status() {
        use Exit::{Done, Failed, Interrupted, Stopped, TimedOut, Usage, Waits};
        for exit in [Done, Failed, Usage, Stopped, Waits, TimedOut, Interrupted] {
            let number = exit.code().to_string();
            assert!(HELP.lines().any(|line| line.split_whitespace().next() == Some(&number)), "{number}");
        }
    }
}
