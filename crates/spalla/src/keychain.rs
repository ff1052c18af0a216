//! The keychain of the operating system, as a place for the keys that secrets are encrypted with: the Secret Service of
//! the desktop over D-Bus, or the keychain of macOS. Each data folder has an entry of its own.

#[cfg(target_os = "macos")]
mod macos;
#[cfg(target_os = "linux")]
mod secret_service;

use crate::failure::{Failure, Result};
use spalla_domain::secret::Secret;
use std::fmt;
use std::path::Path;

#[cfg(target_os = "macos")]
use macos as system;
#[cfg(target_os = "linux")]
use secret_service as system;

/// What the entries are of.
const SERVICE: &str = "spalla";
/// What helps where nobody is there to open a keychain.
const MEND: &str = "unlock it (as signing in to the desktop does, or `gnome-keyring-daemon --unlock`); on a machine without \
                    one set ORCH_SECRET_KEY, or leave secret_key_store = \"file\"";

/// The entry of one data folder.
#[derive(Debug)]
pub(crate) struct Keychain {
    folder: String,
}

/// Why the keychain does not answer as it should.
#[derive(Debug)]
enum Error {
    /// Nobody is there to be asked.
    Unreachable(String),
    /// It is locked, and nobody unlocked it.
    Locked,
    /// It says no.
    Refused(String),
    /// It says something that can't be understood.
    #[cfg(target_os = "linux")]
    Strange(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(why) => write!(f, "no keychain can be reached: {why}"),
            Self::Locked => f.write_str("it is locked, and nobody unlocked it"),
            Self::Refused(why) => write!(f, "it refuses: {why}"),
            #[cfg(target_os = "linux")]
            Self::Strange(why) => write!(f, "it answers something else than it should: {why}"),
        }
    }
}

impl Keychain {
    /// Names the entry of a data folder.
    pub(crate) fn of(folder: &Path) -> Self {
        let real = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        Self { folder: real.to_string_lossy().into_owned() }
    }

    /// Reads the entry; none where it was never written.
    pub(crate) fn read(&self) -> Result<Option<Secret>> {
        system::read(&self.folder).map_err(|error| self.failed("reading the secret key from", &error))
    }

    /// Writes the entry, in the place of the one before.
    pub(crate) fn write(&self, text: &Secret) -> Result<()> {
        system::write(&self.folder, text).map_err(|error| self.failed("writing the secret key into", &error))
    }

    /// Removes the entry, where there is one.
    pub(crate) fn remove(&self) -> Result<()> {
        system::remove(&self.folder).map_err(|error| self.failed("removing the secret key from", &error))
    }

    fn failed(&self, doing: &str, error: &Error) -> Failure {
        Failure::usage(format!("{doing} the keychain, for {}: {error}", self.folder)).mend(MEND)
    }
}

/// Systems without a keychain that is known.
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
mod system {
    use super::Error;
    use spalla_domain::secret::Secret;

    fn none<T>() -> Result<T, Error> {
        Err(Error::Unreachable("this system has none that is known".into()))
    }

    pub(super) fn read(_: &str) -> Result<Option<Secret>, Error> {
        none()
    }

    pub(super) fn write(_: &str, _: &Secret) -> Result<(), Error> {
        none()
    }

    pub(super) fn remove(_: &str) -> Result<(), Error> {
        none()
    }
}
