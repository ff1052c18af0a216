//! What an issuer signs with.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
    RsaPublicKeyComponents,
};
use serde_json::{Value, json};

/// A key that is for these tests alone: making one takes longer than all of them.
const RSA: &str = include_str!("rsa.pkcs8.base64");

/// A key with its name.
pub(super) enum Signer {
    Rsa(RsaKeyPair),
    Ecdsa(EcdsaKeyPair, &'static str),
}

impl Signer {
    /// Returns the RSA key.
    pub(super) fn rsa() -> Self {
        let der = STANDARD.decode(RSA.split_whitespace().collect::<String>()).unwrap();
        Self::Rsa(RsaKeyPair::from_pkcs8(&der).unwrap())
    }

    /// Makes an ECDSA key.
    pub(super) fn ecdsa(id: &'static str) -> Self {
        let random = SystemRandom::new();
        let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, made.as_ref(), &random);
        Self::Ecdsa(pair.unwrap(), id)
    }

    /// Returns the public half as it is published.
    pub(super) fn published(&self) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Self::Rsa(pair) => {
                let RsaPublicKeyComponents { n, e } = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public());
                json!({"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "rsa", "n": text(&n), "e": text(&e)})
            }
            Self::Ecdsa(pair, id) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                json!({"kty": "EC", "crv": "P-256", "kid": id, "x": text(x), "y": text(y)})
            }
        }
    }

    /// Signs a token that says this.
    pub(super) fn token(&self, claims: &Value) -> String {
        let header = match self {
            Self::Rsa(_) => json!({"alg": "RS256", "kid": "rsa", "typ": "JWT"}),
            Self::Ecdsa(_, id) => json!({"alg": "ES256", "kid": id}),
        };
        let message = format!("{}.{}", part(&header), part(claims));
        let signature = self.sign(message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).unwrap();
                signature
            }
            Self::Ecdsa(pair, _) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
        }
    }

    /// Makes a token as whoever knows only the public half could, if it were taken for a shared secret.
    pub(super) fn as_shared_secret(&self, claims: &Value) -> String {
        let message = format!("{}.{}", part(&json!({"alg": "HS256", "kid": "rsa"})), part(claims));
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.published().to_string().as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(hmac::sign(&key, message.as_bytes())))
    }
}

/// Writes a part of a token.
pub(super) fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}
