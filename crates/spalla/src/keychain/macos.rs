//! The keychain of macOS.

use super::{Error, SERVICE};
use security_framework::base;
use security_framework::passwords::{delete_generic_password, get_generic_password, set_generic_password};
use spalla_domain::secret::Secret;

/// What the system says where there is no such entry: `errSecItemNotFound`.
const NOT_FOUND: i32 = -25_300;
/// Where somebody has to be asked, and nobody can be: `errSecInteractionNotAllowed`.
const NOT_ASKED: i32 = -25_308;
/// Where somebody said no: `errSecUserCanceled`.
const CANCELLED: i32 = -128;

pub(super) fn read(folder: &str) -> Result<Option<Secret>, Error> {
    match get_generic_password(SERVICE, folder) {
        Ok(bytes) => Ok(Some(Secret::from(bytes))),
        Err(error) if error.code() == NOT_FOUND => Ok(None),
        Err(error) => Err(understood(&error)),
    }
}

pub(super) fn write(folder: &str, text: &Secret) -> Result<(), Error> {
    set_generic_password(SERVICE, folder, text.expose()).map_err(|error| understood(&error))
}

pub(super) fn remove(folder: &str) -> Result<(), Error> {
    match delete_generic_password(SERVICE, folder) {
        Err(error) if error.code() != NOT_FOUND => Err(understood(&error)),
        _ => Ok(()),
    }
}

fn understood(error: &base::Error) -> Error {
    match error.code() {
        NOT_ASKED | CANCELLED => Error::Locked,
        _ => Error::Refused(error.to_string()),
    }
}
