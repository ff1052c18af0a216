//! What keeps foreign web pages and smuggled requests out, whatever the way of access: Host, Origin, the form of
//! the request's target, and where a browser says that a request comes from.

use crate::cors::Cors;
use crate::problem::Problem;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, header};
use std::net::{IpAddr, SocketAddr};

/// The hosts that are served here.
#[derive(Debug)]
pub(crate) struct Hosts {
    /// The server's own addresses.
    own: Vec<String>,
    /// Further names under which a proxy or a container network leads here.
    named: Vec<String>,
    /// The foreign pages that may call.
    cors: Cors,
}

/// Whose page a request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// This server's, or no page's at all.
    Own,
    /// A foreign one that may call.
    Allowed,
}

impl Hosts {
    /// Lists the hosts of a server that listens on an address, and further ones by name.
    pub(crate) fn new(listen: SocketAddr, named: &[String], cors: Cors) -> Self {
        let port = listen.port();
        let mut own = vec![format!("127.0.0.1:{port}"), format!("localhost:{port}"), format!("[::1]:{port}")];
        if !listen.ip().is_unspecified() {
            own.push(listen.to_string());
        }
        if port == 80 {
            // Browsers leave the port out where it is the scheme's own.
            own.extend(["127.0.0.1".into(), "localhost".into(), "[::1]".into(), bracketed(listen.ip())]);
        }
        Self { own, named: named.iter().map(|host| host.to_ascii_lowercase()).collect(), cors }
    }

    /// Refuses what no honest client of this server sends, and tells whose page sent the rest.
    pub(crate) fn check(&self, parts: &Parts) -> Result<Origin, Problem> {
        let host = self.host(parts)?;
        self.check_target(parts, &host)?;
        let origin = self.origin(&parts.headers, &host)?;
        if origin == Origin::Own
            && is_mutating(&parts.method)
            && parts.headers.get_all("sec-fetch-site").iter().any(|site| site == "cross-site")
        {
            return Err(forbidden("cross_site", "the request comes from a page of another site"));
        }
        if let Some(encoding) = parts.headers.get(header::CONTENT_ENCODING) {
            let detail = format!("a body of Content-Encoding {encoding:?} is not read here");
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_encoding", detail)
                .mend("send the body as it is"));
        }
        Ok(origin)
    }

    fn host(&self, parts: &Parts) -> Result<String, Problem> {
        let host = only(&parts.headers, header::HOST)?
            .ok_or_else(|| Problem::new(StatusCode::BAD_REQUEST, "missing_host", "the request has no Host"))?
            .to_ascii_lowercase();
        if self.serves(&host) { Ok(host) } else { Err(misdirected(&host)) }
    }

    /// Tells whether a host is served here; it is written in small letters.
    pub(crate) fn serves(&self, host: &str) -> bool {
        self.own.iter().chain(&self.named).any(|served| served == host)
    }

    /// A target that names a host has to name the one of the Host header.
    fn check_target(&self, parts: &Parts, host: &str) -> Result<(), Problem> {
        match parts.uri.authority() {
            Some(authority) if !authority.as_str().eq_ignore_ascii_case(host) => {
                Err(misdirected(authority.as_str()))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn origin(&self, headers: &HeaderMap, host: &str) -> Result<Origin, Problem> {
        let Some(origin) = only(headers, header::ORIGIN)? else { return Ok(Origin::Own) };
        let served = match origin.split_once("://") {
            Some(("http", rest)) => rest == host,
            // Only a proxy in front makes this server reachable over TLS, and then by a name of its own.
            Some(("https", rest)) => rest == host && self.named.iter().any(|named| named == host),
            _ => false,
        };
        if served {
            return Ok(Origin::Own);
        }
        if self.cors.allows(origin) {
            return Ok(Origin::Allowed);
        }
        Err(forbidden(
            "foreign_origin",
            format!("the request comes from a page of {origin}, which is not served here"),
        ))
    }
}

/// Returns a header's value; a second one is refused.
fn only(headers: &HeaderMap, name: HeaderName) -> Result<Option<&str>, Problem> {
    let mut values = headers.get_all(&name).iter();
    let value = values.next();
    let readable = value.map(|value| value.to_str()).transpose();
    match (readable, values.next()) {
        (Ok(value), None) => Ok(value),
        _ => {
            let detail = format!("the header {name} is sent twice or can't be read");
            Err(Problem::new(StatusCode::BAD_REQUEST, "ambiguous_header", detail))
        }
    }
}

fn is_mutating(method: &Method) -> bool {
    ![Method::GET, Method::HEAD, Method::OPTIONS, Method::TRACE].contains(method)
}

fn misdirected(host: &str) -> Problem {
    let detail = format!("{host:?} is not served here");
    Problem::new(StatusCode::MISDIRECTED_REQUEST, "unknown_host", detail)
        .mend("use the address that the server printed, or start it with this name among the served hosts")
}

fn forbidden(code: &'static str, detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, code, detail)
        .mend("send it from a program, or from a page of this server")
}

fn bracketed(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;

    fn status(method: &str, uri: &str, headers: &[(&str, &str)]) -> u16 {
        let hosts = Hosts::new(([127, 0, 0, 1], 18080).into(), &["spalla.example".into()], Cors::None);
        let request = Request::builder().method(method).uri(uri);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let parts = request.body(()).unwrap().into_parts().0;
        hosts.check(&parts).map_or_else(|problem| problem.status().as_u16(), |_| 200)
    }

    const HOST: (&str, &str) = ("host", "127.0.0.1:18080");

    #[test]
    fn only_served_hosts_are_answered() {
        for host in ["127.0.0.1:18080", "LocalHost:18080", "[::1]:18080", "spalla.example"] {
            assert_eq!(status("GET", "/", &[("host", host)]), 200, "{host}");
        }
        for host in
            ["evil.example", "127.0.0.1", "127.0.0.1:18081", "localhost", "127.0.0.1:18080.evil.example", ""]
        {
            assert_eq!(status("GET", "/", &[("host", host)]), 421, "{host}");
        }
        assert_eq!(status("GET", "/", &[]), 400);
        assert_eq!(status("GET", "/", &[HOST, HOST]), 400);
    }

    #[test]
    fn an_absolute_target_names_the_same_host() {
        assert_eq!(status("GET", "http://127.0.0.1:18080/", &[HOST]), 200);
        assert_eq!(status("GET", "http://localhost:18080/", &[HOST]), 421);
        assert_eq!(status("GET", "http://evil.example/", &[HOST]), 421);
    }

    #[test]
    fn an_origin_is_the_served_one_exactly() {
        assert_eq!(status("GET", "/", &[HOST, ("origin", "http://127.0.0.1:18080")]), 200);
        let foreign =
            ["http://localhost:18080", "https://127.0.0.1:18080", "null", "http://evil.example", ""];
        for origin in foreign {
            assert_eq!(status("GET", "/", &[HOST, ("origin", origin)]), 403, "{origin}");
        }
        let named = ("host", "spalla.example");
        assert_eq!(status("POST", "/", &[named, ("origin", "https://spalla.example")]), 200);
    }

    #[test]
    fn a_foreign_page_may_lead_here_but_change_nothing() {
        let site = |site| [HOST, ("sec-fetch-site", site)];
        assert_eq!(status("GET", "/", &site("cross-site")), 200);
        assert_eq!(status("POST", "/", &site("cross-site")), 403);
        assert_eq!(status("POST", "/", &site("same-origin")), 200);
        let both = [HOST, ("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")];
        assert_eq!(status("POST", "/", &both), 403);
    }

    #[test]
    fn an_encoded_body_is_refused() {
        assert_eq!(status("POST", "/", &[HOST, ("content-encoding", "gzip")]), 415);
    }
}
