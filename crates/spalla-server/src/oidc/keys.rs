//! The issuer's keys, and whether one of them signed something. Two ways of signing are known, by their names; whatever
//! else a token claims to be signed with, nothing at all included, is not looked at.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;
use serde_json::Value;

/// How many keys of an issuer are looked at: far more than any has at a time.
const KEYS_MAX: usize = 64;
/// The first byte of a point that is written with both coordinates.
const UNCOMPRESSED: u8 = 4;
/// How many bytes a coordinate has.
const COORDINATE_BYTES: usize = 32;

/// How a token is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    /// RSA, PKCS #1 v1.5, with SHA-256.
    Rs256,
    /// ECDSA on the curve P-256, with SHA-256.
    Es256,
}

impl Algorithm {
    /// Reads the name; none for every way that is not taken.
    pub(super) fn parse(name: &str) -> Option<Self> {
        match name {
            "RS256" => Some(Self::Rs256),
            "ES256" => Some(Self::Es256),
            _ => None,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
        }
    }
}

/// The issuer's keys.
#[derive(Debug)]
pub(super) struct Keys(Vec<Key>);

#[derive(Debug)]
struct Key {
    id: Option<String>,
    public: Public,
}

#[derive(Debug)]
enum Public {
    Rsa(RsaPublicKeyComponents<Vec<u8>>),
    P256(Vec<u8>),
}

/// A key as it is published.
#[derive(Debug, Deserialize)]
struct Published {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    used_for: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

impl Keys {
    /// Reads what the issuer publishes. Keys of other kinds are for others.
    pub(super) fn read(document: &[u8]) -> Result<Self, String> {
        let Document { keys } = serde_json::from_slice(document).map_err(|error| error.to_string())?;
        let published = keys.into_iter().filter_map(|key| serde_json::from_value::<Published>(key).ok());
        Ok(Self(published.filter_map(Key::read).take(KEYS_MAX).collect()))
    }

    /// Tells whether a key, the one of this id where there is one, signed a message.
    pub(super) fn signed(
        &self,
        algorithm: Algorithm,
        id: Option<&str>,
        message: &[u8],
        signature: &[u8],
    ) -> bool {
        let mut named = self.0.iter().filter(|key| id.is_none() || key.id.as_deref() == id);
        named.any(|key| key.public.signed(algorithm, message, signature))
    }
}

impl Key {
    fn read(key: Published) -> Option<Self> {
        let part = |text: &Option<String>| URL_SAFE_NO_PAD.decode(text.as_deref()?).ok();
        let (public, algorithm) = match key.kty.as_str() {
            "RSA" => {
                let (n, e) = (without_zeros(part(&key.n)?), without_zeros(part(&key.e)?));
                (Public::Rsa(RsaPublicKeyComponents { n, e }), Algorithm::Rs256)
            }
            "EC" if key.crv.as_deref() == Some("P-256") => {
                let (x, y) = (part(&key.x)?, part(&key.y)?);
                let fits = x.len() == COORDINATE_BYTES && y.len() == COORDINATE_BYTES;
                (Public::P256(fits.then(|| [vec![UNCOMPRESSED], x, y].concat())?), Algorithm::Es256)
            }
            _ => return None,
        };
        let is_for =
            |given: &Option<String>, wanted: &str| given.as_deref().is_none_or(|given| given == wanted);
        let fits = is_for(&key.used_for, "sig") && is_for(&key.alg, algorithm.as_str());
        fits.then_some(Self { id: key.kid, public })
    }
}

impl Public {
    /// The way of signing has to be the key's own: a key of one kind never stands for one of another.
    fn signed(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        match (self, algorithm) {
            (Self::Rsa(key), Algorithm::Rs256) => {
                key.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature).is_ok()
            }
            (Self::P256(point), Algorithm::Es256) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature).is_ok()
            }
            (Self::Rsa(_), Algorithm::Es256) | (Self::P256(_), Algorithm::Rs256) => false,
        }
    }
}

/// Some issuers write numbers with zeros in front.
fn without_zeros(number: Vec<u8>) -> Vec<u8> {
    number.into_iter().skip_while(|byte| *byte == 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
    use serde_json::json;

    fn pair() -> EcdsaKeyPair {
        let random = SystemRandom::new();
        let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, made.as_ref(), &random).unwrap()
    }

    fn published(pair: &EcdsaKeyPair, id: &str) -> Value {
        let (x, y) = pair.public_key().as_ref()[1..].split_at(COORDINATE_BYTES);
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        json!({"kty": "EC", "crv": "P-256", "kid": id, "use": "sig", "alg": "ES256", "x": text(x), "y": text(y)})
    }

    fn keys(keys: &[Value]) -> Keys {
        Keys::read(json!({"keys": keys}).to_string().as_bytes()).unwrap()
    }

    #[test]
    fn only_the_key_that_signed_says_yes_and_only_in_its_own_way() {
        let (first, second) = (pair(), pair());
        let known = keys(&[
            json!({"kty": "oct", "k": "AA"}),
            json!(7),
            published(&first, "a"),
            published(&second, "b"),
        ]);
        let signature = first.sign(&SystemRandom::new(), b"said").unwrap();
        let signed = |id, message: &[u8]| known.signed(Algorithm::Es256, id, message, signature.as_ref());
        assert!(signed(Some("a"), b"said") && signed(None, b"said"));
        assert!(!signed(Some("b"), b"said") && !signed(Some("c"), b"said") && !signed(Some("a"), b"other"));
        assert!(!known.signed(Algorithm::Rs256, Some("a"), b"said", signature.as_ref()));
        assert!(!known.signed(Algorithm::Es256, Some("a"), b"said", b""));
    }

    #[test]
    fn a_key_that_is_for_something_else_signs_nothing() {
        let pair = pair();
        let signature = pair.sign(&SystemRandom::new(), b"said").unwrap();
        for (member, value) in
            [("use", "enc"), ("alg", "ES384"), ("crv", "P-384"), ("x", "AA"), ("kty", "RSA"), ("y", "?")]
        {
            let mut key = published(&pair, "a");
            key[member] = json!(value);
            assert!(!keys(&[key]).signed(Algorithm::Es256, None, b"said", signature.as_ref()), "{member}");
        }
    }

    #[test]
    fn no_other_way_of_signing_has_a_name_here() {
        for name in ["none", "None", "", "HS256", "HS512", "RS512", "PS256", "ES384", "EdDSA", "rs256"] {
            assert_eq!(Algorithm::parse(name), None, "{name}");
        }
        assert!(Keys::read(b"{}").is_err() && Keys::read(b"[]").is_err());
    }
}
