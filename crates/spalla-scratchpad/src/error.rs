//! Why something about a scratchpad was not done.

use std::io;
use std::path::{Path, PathBuf};

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is none of that name.
    #[error("there is no scratchpad {0:?}")]
    NotFound(String),
    /// What was asked can't be.
    #[error("{0}")]
    Invalid(String),
    /// The state, or what stands there, forbids it now.
    #[error("{0}")]
    Conflict(String),
    /// The key of a wish came again with another wish.
    #[error("the key was sent before with another request")]
    KeyReused,
    /// It is more than is allowed.
    #[error("{0}")]
    TooLarge(String),
    /// A record can't be read.
    #[error("the record {} can't be read: {reason}", path.display())]
    Corrupt {
        /// Which one.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The system refused it.
    #[error("{doing} {}: {source}", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// The kinds of errors that whoever hears of them tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It does not exist.
    NotFound,
    /// The call is wrong.
    Invalid,
    /// It can't be now.
    Conflict,
    /// The key belongs to another wish.
    KeyReused,
    /// It is too much.
    TooLarge,
    /// The machine is at fault.
    Internal,
}

impl Error {
    /// Returns the kind.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::NotFound(_) => Kind::NotFound,
            Self::Invalid(_) => Kind::Invalid,
            Self::Conflict(_) => Kind::Conflict,
            Self::KeyReused => Kind::KeyReused,
            Self::TooLarge(_) => Kind::TooLarge,
            Self::Corrupt { .. } | Self::Io { .. } => Kind::Internal,
        }
    }
}

/// Says what was being done to what when the system refused.
pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error + use<> {
    let path = path.to_owned();
    move |source| Error::Io { doing, path, source }
}
