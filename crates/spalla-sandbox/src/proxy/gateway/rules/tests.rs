//! Requests as they come to a door, and what goes on.

use super::*;
use hyper::{Request, Response};
use std::collections::BTreeMap;

const SECRET: &str = "sk-0123456789";

fn mark(word: &str) -> (Mark, Credential) {
    let injection = Injection::read_all(&[word.to_owned()], &mut Vec::new()).unwrap().remove(0);
    let outside = BTreeMap::from([(injection.variable.clone(), SECRET.to_owned())]);
    let credential = Credential::read(&injection, &outside).unwrap();
    (Mark::new(&injection, &credential).unwrap(), credential)
}

/// Sends a request through the door of `api.openai.com`.
fn sent(method: &str, uri: &str, headers: &[(&str, &str)]) -> Result<request::Parts, Refused> {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (mut parts, ()) = request.body(()).unwrap().into_parts();
    let names = ["127.0.0.1:3129".to_owned()];
    outward(&mut parts, &names, &mark("api.openai.com=OPENAI_API_KEY").0).map(|()| parts)
}

fn shown(headers: &HeaderMap) -> Vec<String> {
    let mut shown: Vec<String> =
        headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
    shown.sort();
    shown
}

#[test]
fn a_request_gets_the_hosts_name_and_credential_and_keeps_what_is_its_own() {
    let parts =
        sent("POST", "/v1/responses?a=b", &[("content-type", "application/json"), ("session_id", "1")]);
    let parts = parts.unwrap();
    assert_eq!((parts.method, parts.uri.to_string()), (Method::POST, "/v1/responses?a=b".to_owned()));
    assert_eq!(
        shown(&parts.headers),
        [
            "accept-encoding: identity",
            "authorization: Bearer sk-0123456789",
            "connection: close",
            "content-type: application/json",
            "host: api.openai.com",
            "session_id: 1",
        ]
    );
    assert!(!format!("{:?}", parts.headers).contains(SECRET), "a log does not show it");
}

#[test]
fn what_a_client_shows_as_its_own_is_dropped() {
    let own = [
        ("authorization", "Bearer own"),
        ("authorization", "Basic own"),
        ("x-api-key", "own"),
        ("x_api_key", "own"),
        ("api-key", "own"),
        ("x-goog-api-key", "own"),
        ("cookie", "own=1"),
        ("proxy-authorization", "own"),
        ("host", "own.example"),
        ("accept-encoding", "gzip"),
    ];
    let parts = sent("GET", "/v1?key=own&a=b&k%65y=own&%24key=own&API_KEY=own&access_token=own&keys=c", &own)
        .unwrap();
    assert_eq!(parts.uri.to_string(), "/v1?a=b&keys=c");
    let shown = shown(&parts.headers);
    assert_eq!(shown.len(), 4, "{shown:?}");
    assert!(!shown.join("\n").contains("own"), "{shown:?}");
    assert_eq!(sent("GET", "/v1?key=own", &[]).unwrap().uri.to_string(), "/v1");
}

#[test]
fn what_concerns_the_connection_stays_on_it() {
    let of_connection = [
        ("connection", "keep-alive, X-Own ,authorization"),
        ("connection", "x-more"),
        ("x-own", "1"),
        ("x-more", "1"),
        ("keep-alive", "timeout=5"),
        ("te", "trailers"),
        ("trailer", "x-later"),
        ("transfer-encoding", "chunked"),
        ("transfer_encoding", "chunked"),
        ("content-length", "5"),
        ("upgrade", "websocket"),
        ("expect", "100-continue"),
        ("proxy-connection", "keep-alive"),
    ];
    let shown = shown(&sent("GET", "/", &of_connection).unwrap().headers);
    assert_eq!(
        shown,
        [
            "accept-encoding: identity",
            "authorization: Bearer sk-0123456789",
            "connection: close",
            "host: api.openai.com"
        ]
    );
}

#[test]
fn a_request_that_names_another_host_is_refused() {
    for (uri, is_served) in [
        ("/", true),
        ("http://127.0.0.1:3129", true),
        ("http://127.0.0.1:3129/v1", true),
        ("https://127.0.0.1:3129/", false),
        ("http://127.0.0.1:3130/", false),
        ("http://127.0.0.1/", false),
        ("http://own@127.0.0.1:3129/", false),
        ("http://api.openai.com/", false),
        ("http://evil.test/", false),
        ("evil.test:443", false),
        ("*", false),
    ] {
        let judged = sent("GET", uri, &[]);
        match is_served {
            true => assert!(judged.unwrap().uri.authority().is_none(), "{uri}"),
            false => assert_eq!(judged.unwrap_err().0, StatusCode::BAD_REQUEST, "{uri}"),
        }
    }
}

#[test]
fn a_method_that_shows_or_opens_is_refused() {
    for method in ["TRACE", "trace", "CONNECT", "TRACK", "BREW"] {
        let refused = sent(method, "/", &[]).unwrap_err();
        assert_eq!(refused.0, StatusCode::METHOD_NOT_ALLOWED, "{method}");
    }
}

#[test]
fn each_host_gets_the_credential_in_its_own_header() {
    for (word, name, value) in [
        ("api.anthropic.com=ANTHROPIC_API_KEY", "x-api-key", "sk-0123456789"),
        ("api.anthropic.com=ANTHROPIC_AUTH_TOKEN", "authorization", "Bearer sk-0123456789"),
        ("generativelanguage.googleapis.com=GEMINI_API_KEY", "x-goog-api-key", "sk-0123456789"),
        ("127.0.0.1:8080=GOOGLE_API_KEY", "x-goog-api-key", "sk-0123456789"),
    ] {
        let (mut parts, ()) = Request::get("/").header(name, "own").body(()).unwrap().into_parts();
        outward(&mut parts, &[], &mark(word).0).unwrap();
        let values: Vec<_> = parts.headers.get_all(name).iter().collect();
        assert_eq!(values, [value], "{word}");
    }
}

#[test]
fn an_answer_keeps_all_but_the_connections_own_and_shows_no_credential() {
    let (_, credential) = mark("api.openai.com=OPENAI_API_KEY");
    let answer = Response::builder()
        .header("content-length", "5")
        .header("content-type", "text/event-stream")
        .header("connection", "x-own")
        .header("x-own", "1")
        .header("x-echo", "you sent Bearer sk-0123456789!");
    let (mut parts, ()) = answer.body(()).unwrap().into_parts();
    inward(&mut parts, &credential);
    assert_eq!(
        shown(&parts.headers),
        ["content-length: 5", "content-type: text/event-stream", "x-echo: you sent Bearer *************!"]
    );
    let both = Response::builder().header("content-length", "5").header("transfer-encoding", "chunked");
    let (mut parts, ()) = both.body(()).unwrap().into_parts();
    inward(&mut parts, &credential);
    assert_eq!(shown(&parts.headers), [""; 0]);
}
