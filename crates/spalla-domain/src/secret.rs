//! A secret: bytes that are wiped when they are no longer needed, and that no format, log or serializer shows by
//! mistake.

use std::fmt;
use std::str::Utf8Error;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A string or bytes that nobody is to see. Deliberately without `Clone`, `Display` and `Serialize`: whoever needs
/// what is in it says [`Secret::expose`], and that can be searched for.
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Returns what is kept secret.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Returns what is kept secret as text, where it is one.
    pub fn expose_text(&self) -> Result<&str, Utf8Error> {
        std::str::from_utf8(&self.0)
    }

    /// Returns how many bytes are kept secret.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Tells whether there is nothing to keep secret.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Vec<u8>> for Secret {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        text.into_bytes().into()
    }
}

/// Keeps a copy; the original is still where it was.
impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

/// In constant time, whatever the bytes are; only a difference in length is told at once.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Secret {}

/// Says that there is one, for the types that hold one.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_shown_to_whoever_asks_by_name_and_to_nobody_else() {
        let secret = Secret::from("hunter2");
        assert_eq!((secret.expose(), secret.expose_text()), (&b"hunter2"[..], Ok("hunter2")));
        assert_eq!(
            format!("{secret:?} {:#?}", Some(&secret)),
            "Secret(hidden) Some(\n    Secret(hidden),\n)"
        );
        assert!(Secret::from(vec![0xff]).expose_text().is_err());
    }

    #[test]
    fn secrets_are_equal_when_all_their_bytes_are() {
        let of = |text: &str| Secret::from(text);
        assert_eq!(of("abc"), Secret::from(b"abc".to_vec()));
        assert_eq!(of(""), of(""));
        for other in ["", "ab", "abd", "bbc", "abcd"] {
            assert_ne!(of("abc"), of(other));
        }
        assert!(of("").is_empty() && of("abc").len() == 3);
    }
}
