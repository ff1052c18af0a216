//! One file of a publication: its bytes, and their digest, which is computed once.

use std::ops::Deref;
use std::sync::Arc;

/// The content of a file that is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    bytes: Arc<[u8]>,
    digest: blake3::Hash,
}

impl File {
    /// Returns the digest of the content.
    #[must_use]
    pub const fn digest(&self) -> &blake3::Hash {
        &self.digest
    }
}

impl From<Vec<u8>> for File {
    fn from(bytes: Vec<u8>) -> Self {
        let digest = blake3::hash(&bytes);
        Self { bytes: bytes.into(), digest }
    }
}

impl Deref for File {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}
