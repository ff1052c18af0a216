//! The `Idempotency-Key` of a request, with a digest of all that makes the request what it is.

use crate::access::Reach;
use crate::audit::{Audited, Mark};
use crate::problem::Problem;
use axum::http::request::Parts;
use spalla_store::command::IdempotencyKey;

/// The name of the header.
const HEADER: &str = "idempotency-key";
/// The longest key: four times a UUID in words, and short enough to keep by the million.
const KEY_BYTES_MAX: usize = 255;

/// A key whose request has not been read to its end.
#[derive(Debug)]
pub(crate) struct PendingKey {
    key: String,
    reach: Reach,
    digest: blake3::Hasher,
}

impl PendingKey {
    /// Reads the key, where the client sent one.
    pub(crate) fn begin(parts: &Parts) -> Result<Option<Self>, Problem> {
        let reach = reach_of(parts);
        Ok(given(parts)?.map(|key| Self { key, reach, digest: begun(parts) }))
    }

    /// Takes in a piece of the body.
    pub(crate) fn update(&mut self, data: &[u8]) {
        self.digest.update(data);
    }

    /// Returns the key with the digest of all that was taken in.
    pub(crate) fn finish(self) -> IdempotencyKey {
        let fingerprint = *self.digest.finalize().as_bytes();
        self.reach.own(IdempotencyKey { key: self.key, fingerprint })
    }
}

/// Reads what goes with the command of a request.
pub(super) fn mark(parts: &Parts, body: &[u8]) -> Result<Mark, Problem> {
    let audited = parts.extensions.get::<Audited>().cloned();
    Ok(Mark { key: key(parts, body)?, audited, reach: reach_of(parts) })
}

/// Returns how far the caller reaches; what no rule was asked about reaches nothing.
fn reach_of(parts: &Parts) -> Reach {
    parts.extensions.get::<Reach>().cloned().unwrap_or_else(Reach::none)
}

/// Reads the key, where the client sent one.
pub(super) fn key(parts: &Parts, body: &[u8]) -> Result<Option<IdempotencyKey>, Problem> {
    let pending = PendingKey::begin(parts)?;
    Ok(pending.map(|mut pending| {
        pending.update(body);
        pending.finish()
    }))
}

fn given(parts: &Parts) -> Result<Option<String>, Problem> {
    let mut values = parts.headers.get_all(HEADER).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let key = value.to_str().ok().map(str::trim);
    let is_plain = |key: &str| key.bytes().all(|byte| byte.is_ascii_graphic());
    let fits =
        |key: &&str| (1..=KEY_BYTES_MAX).contains(&key.len()) && is_plain(key) && values.next().is_none();
    let Some(key) = key.filter(fits) else {
        let message = format!(
            "a key is sent once and has 1 to {KEY_BYTES_MAX} visible ASCII characters, none of them a space"
        );
        return Err(Problem::invalid("Idempotency-Key", message));
    };
    Ok(Some(key.to_owned()))
}

/// Begins the digest of a request with all that comes before its body.
fn begun(parts: &Parts) -> blake3::Hasher {
    let mut digest = blake3::Hasher::new();
    // Both spellings of a path are one request. The separator can't stand in any of the parts before the body.
    let path = parts.uri.path().trim_end_matches('/');
    for part in [parts.method.as_str(), path, parts.uri.query().unwrap_or_default()] {
        digest.update(part.as_bytes()).update(b"\n");
    }
    digest
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;

    fn key_of(method: &str, uri: &str, keys: &[&str], body: &str) -> Result<Option<IdempotencyKey>, Problem> {
        let request = Request::builder().method(method).uri(uri);
        let request = keys.iter().fold(request, |request, key| request.header(HEADER, *key));
        key(&request.body(()).unwrap().into_parts().0, body.as_bytes())
    }

    #[test]
    fn the_digest_tells_requests_apart_by_method_path_query_and_body() {
        let of = |method, uri, body| key_of(method, uri, &["k"], body).unwrap().unwrap().fingerprint;
        let digest = of("POST", "/a?b=1", "c");
        assert_eq!(of("POST", "/a/?b=1", "c"), digest);
        for other in [
            of("PATCH", "/a?b=1", "c"),
            of("POST", "/b?b=1", "c"),
            of("POST", "/a", "c"),
            of("POST", "/a?b=1", ""),
        ] {
            assert_ne!(other, digest);
        }
    }

    #[test]
    fn a_key_that_is_empty_too_long_or_sent_twice_is_refused() {
        assert!(key_of("POST", "/a", &[], "").unwrap().is_none());
        assert!(key_of("POST", "/a", &[""], "").is_err());
        assert!(key_of("POST", "/a", &["a", "b"], "").is_err());
        assert!(key_of("POST", "/a", &["a b"], "").is_err());
        assert!(key_of("POST", "/a", &[&"k".repeat(256)], "").is_err());
        assert!(key_of("POST", "/a", &[&"k".repeat(255)], "").is_ok());
    }
}
