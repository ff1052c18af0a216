//! Fernet tokens: how a secret lies at rest. Encrypted and signed with one key; a ring of keys lets the key change
//! without anything becoming unreadable.
//!
//! ```text
//! token    base64url( 0x80 │ seconds, 8 bytes │ iv, 16 bytes │ AES-128-CBC, PKCS #7 │ HMAC-SHA256 of all before )
//! sealed   key id ":" token
//! ```

mod key_ring;

pub use key_ring::KeyRing;

use crate::Timestamp;
use crate::secret::Secret;
use aes::Aes128;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use std::fmt;
use zeroize::{Zeroize, Zeroizing};

/// How many bytes a key has: half to sign with, half to encrypt with.
pub const KEY_BYTES: usize = 32;
/// How many random bytes every token needs.
pub const IV_BYTES: usize = 16;

const VERSION: u8 = 0x80;
const TIME_BYTES: usize = 8;
const BLOCK_BYTES: usize = 16;
const MAC_BYTES: usize = 32;
const HEAD_BYTES: usize = 1 + TIME_BYTES + IV_BYTES;
/// How many digits of the hash of a key tell it from others.
const ID_DIGITS: usize = 8;

/// Why something does not decrypt. Says nothing of the key, the token or what is in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A text is no key.
    #[error(
        "a key is {KEY_BYTES} bytes in url-safe base64, that is 43 letters, digits, - or _ and one =; this is not"
    )]
    Key,
    /// There is not a single key.
    #[error("there is no key")]
    NoKey,
    /// The token does not have the shape of one.
    #[error("what is encrypted is damaged: it is no Fernet token")]
    Malformed,
    /// The signature is not of this key.
    #[error("what is encrypted was not encrypted with this key, or was changed")]
    Unverified,
    /// None of the keys is the one that was used.
    #[error("what is encrypted needs the key {id}, which is not among the keys")]
    UnknownKey {
        /// The id of that key.
        id: String,
    },
}

/// A key. Wiped when it is no longer needed, and never shown; its id may be.
pub struct FernetKey {
    bytes: Zeroizing<[u8; KEY_BYTES]>,
    id: String,
}

impl FernetKey {
    /// Makes a key of random bytes.
    pub fn from_bytes(bytes: Zeroizing<[u8; KEY_BYTES]>) -> Self {
        let digits = Sha256::digest(*bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        Self { id: digits[..ID_DIGITS].to_owned(), bytes }
    }

    /// Reads a key; space around it does not matter.
    pub fn parse(text: &str) -> Result<Self, Error> {
        // Longer by the room that the decoder estimates.
        let mut bytes = Zeroizing::new([0; KEY_BYTES + 3]);
        let length = URL_SAFE.decode_slice(text.trim(), &mut *bytes).map_err(|_| Error::Key)?;
        if length != KEY_BYTES {
            return Err(Error::Key);
        }
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        key.copy_from_slice(&bytes[..KEY_BYTES]);
        Ok(Self::from_bytes(key))
    }

    /// Returns the key as it is written in a file or a variable.
    pub fn to_text(&self) -> Secret {
        URL_SAFE.encode(*self.bytes).into()
    }

    /// Returns what tells the key from others: the first digits of its hash.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Encrypts. The `iv` has to be random, and another for every token.
    pub fn encrypt(&self, plain: &Secret, now: Timestamp, iv: [u8; IV_BYTES]) -> String {
        let plain = plain.expose();
        let padded_bytes = (plain.len() / BLOCK_BYTES + 1) * BLOCK_BYTES;
        let mut token = Vec::with_capacity(HEAD_BYTES + padded_bytes + MAC_BYTES);
        token.push(VERSION);
        token.extend(seconds(now).to_be_bytes());
        token.extend(iv);
        token.extend(plain);
        token.resize(HEAD_BYTES + padded_bytes, 0);
        let cipher = cbc::Encryptor::<Aes128>::new(&self.encryption().into(), &iv.into());
        let encrypted = cipher.encrypt_padded::<Pkcs7>(&mut token[HEAD_BYTES..], plain.len());
        assert!(encrypted.is_ok(), "there is room for the padding");
        let mac = self.mac(&token).finalize().into_bytes();
        token.extend(mac);
        URL_SAFE.encode(token)
    }

    /// Decrypts. The signature is checked before anything else is believed. A token has no age here: what lies at
    /// rest is as good after a year.
    pub fn decrypt(&self, token: &str) -> Result<Secret, Error> {
        let mut token = URL_SAFE.decode(token).map_err(|_| Error::Malformed)?;
        let signed_bytes = token.len().checked_sub(MAC_BYTES).ok_or(Error::Malformed)?;
        let (signed, mac) = token.split_at(signed_bytes);
        // Compares in constant time.
        self.mac(signed).verify_slice(mac).map_err(|_| Error::Unverified)?;
        token.truncate(signed_bytes);
        let iv =
            token.get(HEAD_BYTES - IV_BYTES..HEAD_BYTES).and_then(|iv| <[u8; IV_BYTES]>::try_from(iv).ok());
        let iv = iv.filter(|_| token[0] == VERSION).ok_or(Error::Malformed)?;
        let mut plain = token.split_off(HEAD_BYTES);
        let cipher = cbc::Decryptor::<Aes128>::new(&self.encryption().into(), &iv.into());
        match cipher.decrypt_padded::<Pkcs7>(&mut plain).map(<[u8]>::len) {
            Ok(length) => {
                plain.truncate(length);
                Ok(plain.into())
            }
            Err(_) => {
                plain.zeroize();
                Err(Error::Malformed)
            }
        }
    }

    fn mac(&self, signed: &[u8]) -> Hmac<Sha256> {
        let mut mac = match <Hmac<Sha256> as KeyInit>::new_from_slice(&self.bytes[..KEY_BYTES / 2]) {
            Ok(mac) => mac,
            Err(_) => unreachable!("an HMAC takes a key of any length"),
        };
        mac.update(signed);
        mac
    }

    fn encryption(&self) -> [u8; KEY_BYTES / 2] {
        let mut half = [0; KEY_BYTES / 2];
        half.copy_from_slice(&self.bytes[KEY_BYTES / 2..]);
        half
    }
}

/// Says which key it is, and not what it is.
impl fmt::Debug for FernetKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FernetKey({})", self.id)
    }
}

/// The time of a token; one before 1970 is 1970.
fn seconds(now: Timestamp) -> u64 {
    u64::try_from(now.ms() / 1000).unwrap_or(0)
}

#[cfg(test)]
mod tests;
