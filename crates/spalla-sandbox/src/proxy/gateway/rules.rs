//! What passes a door: of a request everything but what concerns the connection, whatever the client shows as a credential
//! of its own, and the host that it names; of an answer everything but what concerns the connection.

use super::answer::masked;
use crate::credential::Credential;
use crate::injection::Injection;
use hyper::body::Bytes;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::http::{request, response};
use hyper::{Method, StatusCode, Uri, Version};
use std::borrow::Cow;
use zeroize::Zeroizing;

/// What is done to a host. Above all no TRACE, whose answer shows what was sent.
const METHODS: [Method; 7] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];
/// What concerns one connection. What a client expects before it sends on, and where it thinks it is, is answered here.
const OF_CONNECTION: [&str; 9] = [
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
    "content-length",
    "expect",
];
/// Where a client shows who it is.
const CREDENTIALS: [&str; 6] =
    ["authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie", "x-auth-token"];
/// Where it does so in a query; or lets the query stand for headers and the method.
const QUERY_CREDENTIALS: [&str; 7] =
    ["key", "api_key", "api-key", "access_token", "oauth_token", "httpheaders", "httpmethod"];

/// Why a request gets no further.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused(pub(super) StatusCode, pub(super) Cow<'static, str>);

/// What a request gets at its door.
pub(super) struct Mark {
    host: HeaderValue,
    header: HeaderName,
    credential: HeaderValue,
}

impl Mark {
    /// Makes it of what an injection says; none where that can't stand in a request.
    pub(super) fn new(injection: &Injection, credential: &Credential) -> Option<Self> {
        let shown = Zeroizing::new(format!("{}{}", injection.prefix, credential.expose()).into_bytes());
        // Requests share it, and it is wiped with the last.
        let mut credential = HeaderValue::from_maybe_shared(Bytes::from_owner(shown)).ok()?;
        credential.set_sensitive(true);
        let header = HeaderName::from_bytes(injection.header.as_bytes()).ok()?;
        Some(Self { host: HeaderValue::from_str(&injection.host).ok()?, header, credential })
    }
}

/// Makes of a request that came to a door the one that goes out, or refuses it.
pub(super) fn outward(parts: &mut request::Parts, names: &[String], mark: &Mark) -> Result<(), Refused> {
    if !METHODS.contains(&parts.method) {
        return Err(Refused(StatusCode::METHOD_NOT_ALLOWED, "this method does not pass".into()));
    }
    parts.uri = inner(&parts.uri, names)
        .ok_or(Refused(StatusCode::BAD_REQUEST, "it is for another host than this one".into()))?;
    parts.version = Version::HTTP_11;
    parts.extensions.clear();
    drop_of_connection(&mut parts.headers);
    drop_if(&mut parts.headers, |name| name == "host" || CREDENTIALS.contains(&name));
    let headers = &mut parts.headers;
    headers.insert(header::HOST, mark.host.clone());
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    // What comes back is looked through.
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert(mark.header.clone(), mark.credential.clone());
    Ok(())
}

/// Makes of a host's answer the one that goes in.
pub(super) fn inward(parts: &mut response::Parts, credential: &Credential) {
    parts.version = Version::HTTP_11;
    parts.extensions.clear();
    let length = parts.headers.get(header::CONTENT_LENGTH).cloned();
    let is_chunked = parts.headers.contains_key(header::TRANSFER_ENCODING);
    drop_of_connection(&mut parts.headers);
    // Of two lengths the other one counts.
    if let Some(length) = length.filter(|_| !is_chunked) {
        parts.headers.insert(header::CONTENT_LENGTH, length);
    }
    for value in parts.headers.values_mut() {
        if let Some(shown) = masked(value.as_bytes(), credential) {
            *value =
                HeaderValue::from_maybe_shared(Bytes::from(shown)).unwrap_or(HeaderValue::from_static("*"));
        }
    }
}

/// Returns what is asked of the host, without what a query shows of the client; none where it is for another one.
fn inner(uri: &Uri, names: &[String]) -> Option<Uri> {
    if let Some(authority) = uri.authority() {
        let is_here = names.iter().any(|name| name.eq_ignore_ascii_case(authority.as_str()));
        if !is_here || uri.scheme_str() != Some("http") {
            return None;
        }
    }
    let path = if uri.path().is_empty() { "/" } else { uri.path() };
    if !path.starts_with('/') {
        return None;
    }
    let Some(query) = uri.query() else { return path.parse().ok() };
    let kept: Vec<&str> = query.split('&').filter(|pair| !shows_client(pair)).collect();
    match kept.is_empty() {
        true => path.parse().ok(),
        false => format!("{path}?{}", kept.join("&")).parse().ok(),
    }
}

fn shows_client(pair: &str) -> bool {
    let name = form_urlencoded::parse(pair.as_bytes()).next().map(|(name, _)| name.to_ascii_lowercase());
    name.is_some_and(|name| QUERY_CREDENTIALS.contains(&name.trim_start_matches('$')))
}

/// Drops what concerns the connection, and what it itself says to be of that kind.
fn drop_of_connection(headers: &mut HeaderMap) {
    let listed: Vec<String> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    drop_if(headers, |name| {
        OF_CONNECTION.contains(&name)
            || name.starts_with("proxy-")
            || listed.iter().any(|listed| listed == name)
    });
}

/// Drops headers by their names; an underscore counts as a dash, which some servers take it for.
fn drop_if(headers: &mut HeaderMap, is_dropped: impl Fn(&str) -> bool) {
    let gone: Vec<HeaderName> =
        headers.keys().filter(|name| is_dropped(&name.as_str().replace('_', "-"))).cloned().collect();
    for name in gone {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests;
