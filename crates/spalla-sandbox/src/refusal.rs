//! Why a command did not run.

use crate::policy::Layer;
use std::io;
use std::path::PathBuf;

/// A wall that can't stand, why, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("refused to run: the layer {layer} is missing: {reason}; {mend}")]
pub struct Refusal {
    /// The wall.
    pub layer: Layer,
    /// What the system says.
    pub reason: String,
    /// What to do about it.
    pub mend: String,
}

impl Refusal {
    pub(crate) fn new(layer: Layer, reason: impl ToString, mend: &str) -> Self {
        let reason = reason.to_string();
        let mend = mend_of_cause(&reason).unwrap_or(mend).to_owned();
        Self { layer, reason, mend }
    }
}

/// Returns what to do about a cause that is the same whatever was being done; the words are those of the standard library.
fn mend_of_cause(reason: &str) -> Option<&'static str> {
    let is = |number: i32| reason.contains(&format!("(os error {number})"));
    match () {
        () if is(libc::EMFILE) || is(libc::ENFILE) => {
            Some("let it open more files (ulimit -n, LimitNOFILE=)")
        }
        () if is(libc::ENOMEM) || is(libc::EAGAIN) => {
            Some("free memory or processes (ulimit -u, TasksMax=), and try again")
        }
        () if is(libc::ENOSPC) => Some(
            "raise how many namespaces a user may have (sysctl user.max_user_namespaces and its relatives)",
        ),
        () => None,
    }
}

/// Why a command did not run, or nobody knows how it ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A wall can't stand.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The policy can't be carried out as it is written.
    #[error("refused to run: {reason}; {mend}")]
    Policy {
        /// What is wrong.
        reason: String,
        /// What to do about it.
        mend: String,
    },
    /// The program is not there, or is none.
    #[error("starting {program:?}: {reason}")]
    Program {
        /// The program.
        program: String,
        /// Why not.
        reason: String,
    },
    /// A file or folder that the policy names can't be shown.
    #[error("showing {} in the sandbox", path.display())]
    Path {
        /// The path.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// Something else of the system failed.
    #[error("{doing}")]
    System {
        /// What was being done.
        doing: &'static str,
        /// What the system says.
        #[source]
        source: io::Error,
    },
}

impl Error {
    pub(crate) fn policy(reason: impl Into<String>, mend: &str) -> Self {
        Self::Policy { reason: reason.into(), mend: mend.to_owned() }
    }

    /// Returns the whole story: what failed, and every cause behind it.
    pub fn story(&self) -> String {
        let mut story = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            story = format!("{story}: {error}");
            cause = error.source();
        }
        story
    }
}

/// Names what was being done when the system failed.
pub(crate) fn doing<E: Into<io::Error>>(doing: &'static str) -> impl FnOnce(E) -> Error {
    move |error| Error::System { doing, source: error.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_has_its_own_mend_whatever_was_being_done() {
        let mend = |number: i32| {
            let error = io::Error::from_raw_os_error(number);
            Refusal::new(Layer::Namespaces, format!("showing /usr: {error}"), "allow namespaces").mend
        };
        assert!(mend(libc::EMFILE).contains("ulimit -n"));
        assert!(mend(libc::EAGAIN).contains("ulimit -u"));
        assert!(mend(libc::ENOSPC).contains("user.max_user_namespaces"));
        assert_eq!(mend(libc::EPERM), "allow namespaces");
    }
}
