//! The keys that were ever used: the newest encrypts, all decrypt, and what is sealed says which one it needs.

use super::{Error, FernetKey, ID_DIGITS, IV_BYTES};
use crate::Timestamp;
use crate::secret::Secret;

/// Keys, the newest first; at least one.
#[derive(Debug)]
pub struct KeyRing {
    newest: FernetKey,
    older: Vec<FernetKey>,
}

impl KeyRing {
    /// Makes a ring; a key that comes twice counts once.
    pub fn new(newest: FernetKey, older: impl IntoIterator<Item = FernetKey>) -> Self {
        let mut ring = Self { newest, older: Vec::new() };
        for key in older {
            if ring.keys().all(|known| known.id() != key.id() || known.to_text() != key.to_text()) {
                ring.older.push(key);
            }
        }
        ring
    }

    /// Reads keys, the newest first, divided by spaces, line ends or commas.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let words = text.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty());
        let mut keys = words.map(FernetKey::parse).collect::<Result<Vec<_>, _>>()?.into_iter();
        Ok(Self::new(keys.next().ok_or(Error::NoKey)?, keys))
    }

    /// Adds the keys of another ring as older ones.
    #[must_use]
    pub fn with_older(self, other: Self) -> Self {
        let older = self.older.into_iter().chain([other.newest]).chain(other.older);
        Self::new(self.newest, older)
    }

    /// Returns the key that encrypts.
    pub fn newest(&self) -> &FernetKey {
        &self.newest
    }

    /// Returns all keys as they are written in a file, the newest first.
    pub fn to_text(&self) -> Secret {
        let mut text = String::new();
        for key in self.keys() {
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(key.to_text().expose_text().unwrap_or_default());
        }
        text.into()
    }

    /// Returns all keys, the newest first.
    pub fn keys(&self) -> impl Iterator<Item = &FernetKey> {
        std::iter::once(&self.newest).chain(&self.older)
    }

    /// Encrypts with the newest key, and writes down which one that is. The `iv` has to be random, and another every
    /// time.
    pub fn seal(&self, plain: &Secret, now: Timestamp, iv: [u8; IV_BYTES]) -> String {
        format!("{}:{}", self.newest.id(), self.newest.encrypt(plain, now, iv))
    }

    /// Decrypts what any of the keys sealed.
    pub fn open(&self, sealed: &str) -> Result<Secret, Error> {
        let (id, token) = parts(sealed)?;
        let mut refused = Error::UnknownKey { id: id.to_owned() };
        // Two keys may have one id.
        for key in self.keys().filter(|key| key.id() == id) {
            match key.decrypt(token) {
                Ok(plain) => return Ok(plain),
                Err(error) => refused = error,
            }
        }
        Err(refused)
    }

    /// Tells whether another key than the newest sealed it.
    pub fn is_outdated(&self, sealed: &str) -> Result<bool, Error> {
        Ok(parts(sealed)?.0 != self.newest.id())
    }

    /// Seals again under the newest key; none where that is the key already.
    pub fn reseal(&self, sealed: &str, now: Timestamp, iv: [u8; IV_BYTES]) -> Result<Option<String>, Error> {
        if !self.is_outdated(sealed)? {
            return Ok(None);
        }
        Ok(Some(self.seal(&self.open(sealed)?, now, iv)))
    }
}

/// Returns the id of the key and the token.
fn parts(sealed: &str) -> Result<(&str, &str), Error> {
    let is_id =
        |id: &str| id.len() == ID_DIGITS && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    sealed.split_once(':').filter(|(id, _)| is_id(id)).ok_or(Error::Malformed)
}
