//! The ID token: nothing that it says is believed before one of the issuer's keys signed it, and then only if it was said
//! to this server, now, for the sign-in that began.

use super::keys::{Algorithm, Keys};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Map, Value};
use spalla_domain::Timestamp;
use spalla_domain::access::token::SUBJECT_BYTES_MAX;
use subtle::ConstantTimeEq;

/// By how much the issuer's clock may differ from this one's, in seconds.
const SKEW_SECONDS: f64 = 60.0;
/// How long ago a token may have been made, in seconds: it is fetched as soon as it is.
const AGE_SECONDS_MAX: f64 = 600.0;

/// A token that nobody has looked at yet.
#[derive(Debug)]
pub(super) struct IdToken<'t> {
    algorithm: Algorithm,
    key_id: Option<String>,
    message: &'t str,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

/// What a token has to be for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) client_id: &'a str,
    pub(super) nonce: &'a str,
    pub(super) now: Timestamp,
}

/// What an issuer says of whoever signed in.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Claims {
    /// As whom the issuer knows them.
    pub(super) subject: String,
    /// All that it says.
    pub(super) all: Map<String, Value>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    #[serde(default)]
    crit: Option<Value>,
}

/// The claims that every token has, or may have, of the kinds that they have to be.
#[derive(Deserialize)]
struct Known {
    iss: String,
    sub: String,
    aud: Audience,
    exp: f64,
    iat: f64,
    nbf: Option<f64>,
    nonce: String,
    azp: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl<'t> IdToken<'t> {
    /// Takes a token apart.
    pub(super) fn read(token: &'t str) -> Result<Self, String> {
        let parts: Vec<&str> = token.split('.').collect();
        let &[header, payload, signature] = parts.as_slice() else {
            return Err("it does not have three parts".into());
        };
        let decoded =
            |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| "a part of it is not base64url".to_owned());
        let header: Header =
            serde_json::from_slice(&decoded(header)?).map_err(|error| format!("its header: {error}"))?;
        if header.crit.is_some() {
            return Err("its header wants something understood that is not".into());
        }
        let algorithm = Algorithm::parse(&header.alg)
            .ok_or_else(|| format!("it is signed by {:?}, and only RS256 and ES256 are taken", header.alg))?;
        let message = &token[..token.len() - signature.len() - 1];
        let (payload, signature) = (decoded(payload)?, decoded(signature)?);
        Ok(Self { algorithm, key_id: header.kid, message, payload, signature })
    }

    /// Tells whether one of these keys signed it.
    pub(super) fn is_signed_by(&self, keys: &Keys) -> bool {
        keys.signed(self.algorithm, self.key_id.as_deref(), self.message.as_bytes(), &self.signature)
    }

    /// Returns what a token says that was signed, if it is what was expected.
    pub(super) fn claims(&self, expected: Expected<'_>) -> Result<Claims, String> {
        let wrong = |error: serde_json::Error| format!("its claims: {error}");
        let all: Map<String, Value> = serde_json::from_slice(&self.payload).map_err(wrong)?;
        let known = Known::deserialize(Value::Object(all.clone())).map_err(wrong)?;
        known.check(expected)?;
        Ok(Claims { subject: known.sub, all })
    }
}

impl Known {
    fn check(&self, expected: Expected<'_>) -> Result<(), String> {
        if self.iss != expected.issuer {
            return Err(format!("it is of {:?}", self.iss));
        }
        self.check_audience(expected.client_id)?;
        self.check_time(expected.now)?;
        if !bool::from(self.nonce.as_bytes().ct_eq(expected.nonce.as_bytes())) {
            return Err("it is of another sign-in: its nonce is not the one that was sent".into());
        }
        let is_plain = self.sub.bytes().all(|byte| byte.is_ascii_graphic());
        if !(1..=SUBJECT_BYTES_MAX).contains(&self.sub.len()) || !is_plain {
            return Err(format!(
                "its subject does not have 1 to {SUBJECT_BYTES_MAX} visible ASCII characters"
            ));
        }
        Ok(())
    }

    /// A token for several has to say that it was made for this one.
    fn check_audience(&self, client_id: &str) -> Result<(), String> {
        let audiences = match &self.aud {
            Audience::One(one) => std::slice::from_ref(one),
            Audience::Several(several) => several,
        };
        let is_ours = audiences.iter().any(|audience| audience == client_id);
        let is_made_for_us = match &self.azp {
            Some(party) => party == client_id,
            None => audiences.len() == 1,
        };
        if is_ours && is_made_for_us { Ok(()) } else { Err("it is for somebody else: its aud or azp".into()) }
    }

    fn check_time(&self, now: Timestamp) -> Result<(), String> {
        // Exact enough until far beyond the end of every token.
        let now = now.ms() as f64 / 1_000.0;
        if self.exp <= now - SKEW_SECONDS {
            return Err("it expired".into());
        }
        if self.iat > now + SKEW_SECONDS || self.nbf.is_some_and(|from| from > now + SKEW_SECONDS) {
            return Err("it is of the future: compare the clocks".into());
        }
        if self.iat < now - AGE_SECONDS_MAX - SKEW_SECONDS {
            return Err("it was made long ago".into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: i64 = 1_700_000_000;

    fn token(header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.AAAA", part(header), part(claims))
    }

    fn claims() -> Value {
        json!({"iss": "https://i", "sub": "ada", "aud": "spalla", "exp": NOW + 300, "iat": NOW, "nonce": "n", "groups": ["a"]})
    }

    fn read(claims: &Value) -> Result<Claims, String> {
        let token = token(&json!({"alg": "RS256"}), claims);
        let now = Timestamp::from_ms(NOW * 1_000);
        let expected = Expected { issuer: "https://i", client_id: "spalla", nonce: "n", now };
        IdToken::read(&token).unwrap().claims(expected)
    }

    #[test]
    fn a_token_is_of_the_issuer_for_this_server_now_and_for_this_sign_in() {
        let good = read(&claims()).unwrap();
        assert_eq!((good.subject.as_str(), &good.all["groups"]), ("ada", &json!(["a"])));
        for (member, value) in [
            ("iss", json!("https://i/")),
            ("iss", json!("https://evil")),
            ("iss", Value::Null),
            ("sub", json!("")),
            ("sub", json!("a b")),
            ("sub", json!("é")),
            ("sub", json!("x".repeat(SUBJECT_BYTES_MAX + 1))),
            ("sub", json!(7)),
            ("aud", json!("other")),
            ("aud", json!([])),
            ("aud", json!(["spalla", "other"])),
            ("aud", Value::Null),
            ("azp", json!("other")),
            ("exp", json!(NOW - 60)),
            ("exp", json!("9999999999")),
            ("exp", Value::Null),
            ("iat", json!(NOW + 61)),
            ("iat", json!(NOW - 661)),
            ("iat", json!("now")),
            ("iat", Value::Null),
            ("nbf", json!(NOW + 61)),
            ("nbf", json!("soon")),
            ("nonce", json!("m")),
            ("nonce", json!("")),
            ("nonce", Value::Null),
        ] {
            let mut claims = claims();
            claims[member] = value.clone();
            assert!(read(&claims).is_err(), "{member} {value}");
            claims.as_object_mut().unwrap().remove(member);
            assert_eq!(read(&claims).is_ok(), ["azp", "nbf"].contains(&member), "without {member}");
        }
    }

    #[test]
    fn clocks_differ_a_little_and_a_token_for_several_says_for_whom_it_was_made() {
        for (member, value) in [
            ("exp", json!(NOW - 59)),
            ("exp", json!(NOW as f64 + 0.5)),
            ("iat", json!(NOW + 59)),
            ("iat", json!(NOW - 659)),
            ("aud", json!(["spalla"])),
            ("azp", json!("spalla")),
        ] {
            let mut claims = claims();
            claims[member] = value.clone();
            assert!(read(&claims).is_ok(), "{member} {value}");
        }
        let mut several = claims();
        (several["aud"], several["azp"]) = (json!(["other", "spalla"]), json!("spalla"));
        assert!(read(&several).is_ok());
    }

    #[test]
    fn what_is_signed_in_no_known_way_is_not_looked_at() {
        for header in [
            json!({"alg": "none"}),
            json!({"alg": "HS256"}),
            json!({"alg": ["RS256"]}),
            json!({}),
            json!({"alg": "RS256", "crit": ["b64"]}),
        ] {
            assert!(IdToken::read(&token(&header, &claims())).is_err(), "{header}");
        }
        for odd in ["", ".", "..", "a.b.c.d", "a.b", "e30.e30.e30", "é.é.é"] {
            assert!(IdToken::read(odd).is_err(), "{odd}");
        }
        let whole = token(&json!({"alg": "ES256", "kid": "k"}), &claims());
        let read = IdToken::read(&whole).unwrap();
        assert_eq!((read.key_id.as_deref(), read.message), (Some("k"), whole.strip_suffix(".AAAA").unwrap()));
        assert!(!read.is_signed_by(&Keys::read(b"{\"keys\": []}").unwrap()));
    }
}
