//! Single secrets that the server keeps for itself.

use super::Vault;
use spalla_domain::secret::Secret;
use spalla_store::StoreError;

impl Vault {
    /// Encrypts a secret.
    pub(crate) fn seal_secret(&self, secret: &Secret) -> String {
        self.0.keys.seal(secret, self.0.clock.now(), self.random_iv())
    }

    /// Decrypts a secret.
    pub(crate) fn open_secret(&self, sealed: &str) -> Result<Secret, StoreError> {
        let opened = self.0.keys.open(sealed);
        opened.map_err(|error| StoreError::Corrupt(format!("decrypting a kept secret: {error}")))
    }
}
