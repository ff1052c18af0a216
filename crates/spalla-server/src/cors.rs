//! Which foreign pages may call this server: none, those that are listed, or any. They show themselves by a token,
//! never by a cookie.

use axum::http::{HeaderName, HeaderValue, Method, header};
use std::time::Duration;
use tower_http::cors::{AllowOrigin, CorsLayer};

/// How long a browser may remember what a page may send.
const REMEMBERED: Duration = Duration::from_secs(600);

/// The foreign pages that may call.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Cors {
    /// None.
    #[default]
    None,
    /// Those of these origins, such as `https://app.example`.
    Origins(Vec<String>),
    /// All.
    Any,
}

impl Cors {
    /// Reads origins divided by commas, or `*`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let origins: Vec<&str> = text.split(',').map(str::trim).filter(|origin| !origin.is_empty()).collect();
        if origins == ["*"] {
            return Ok(Self::Any);
        }
        if let Some(wrong) = origins.iter().find(|origin| !is_origin(origin)) {
            return Err(format!("{wrong:?} is no origin, such as https://app.example"));
        }
        let origins: Vec<String> = origins.into_iter().map(str::to_ascii_lowercase).collect();
        Ok(if origins.is_empty() { Self::None } else { Self::Origins(origins) })
    }

    /// Tells whether a page of an origin may call.
    pub(crate) fn allows(&self, origin: &str) -> bool {
        match self {
            Self::None => false,
            Self::Origins(origins) => origins.iter().any(|allowed| allowed == origin),
            // A page without an origin, such as a file or a sandboxed frame, could be anybody's.
            Self::Any => is_origin(origin),
        }
    }

    /// Returns what tells browsers; none where no page may call.
    pub(crate) fn layer(&self) -> Option<CorsLayer> {
        let origin = match self {
            Self::None => return None,
            Self::Origins(origins) => {
                AllowOrigin::list(origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()))
            }
            Self::Any => AllowOrigin::any(),
        };
        let names = |names: &[&'static str]| {
            names.iter().map(|name| HeaderName::from_static(name)).collect::<Vec<_>>()
        };
        let sent = ["idempotency-key", "last-event-id", "x-fencing-token", "x-first-seq", "x-request-id"];
        let seen = [
            "link",
            "location",
            "retry-after",
            "x-ratelimit-limit",
            "x-ratelimit-remaining",
            "x-request-id",
            "x-total-count",
        ];
        let layer = CorsLayer::new()
            .allow_origin(origin)
            .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
            .allow_headers([&[header::AUTHORIZATION, header::CONTENT_TYPE], names(&sent).as_slice()].concat())
            .expose_headers(names(&seen))
            .max_age(REMEMBERED);
        Some(layer)
    }
}

/// Tells whether a text is a scheme, a host and maybe a port, and nothing else.
fn is_origin(text: &str) -> bool {
    let Some((scheme @ ("http" | "https"), host)) = text.split_once("://") else { return false };
    let uri = format!("{scheme}://{host}/").parse::<axum::http::Uri>();
    uri.is_ok_and(|uri| {
        uri.authority().is_some_and(|authority| authority.as_str() == host && !host.contains('@'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_listed_or_a_star_stands_for_all() {
        assert_eq!(Cors::parse(" , "), Ok(Cors::None));
        assert_eq!(Cors::parse("*"), Ok(Cors::Any));
        let listed = Cors::Origins(vec!["http://localhost:5173".into(), "https://app.example".into()]);
        assert_eq!(Cors::parse("http://localhost:5173, https://App.example"), Ok(listed));
        for wrong in [
            "app.example",
            "*,https://a",
            "https://a/",
            "https://a/b",
            "ftp://a",
            "null",
            "https://u@a",
            "https://",
        ] {
            assert!(Cors::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_what_is_listed_is_allowed_exactly() {
        let listed = Cors::parse("https://app.example").unwrap();
        assert!(listed.allows("https://app.example"));
        for foreign in
            ["https://app.example:444", "http://app.example", "https://app.example.evil", "null", ""]
        {
            assert!(!listed.allows(foreign) && !Cors::None.allows(foreign), "{foreign}");
        }
        assert!(Cors::Any.allows("https://any.example") && !Cors::Any.allows("null"));
    }
}
