//! What keeps foreign pages and smuggled requests out, on every path.

use crate::raw::{head, send, status};
use crate::world::{Setup, World};
use serde_json::json;

const PATHS: [&str; 6] = [
    "/projects/",
    "/health",
    "/events",
    "/nothing",
    "/work-items/runs/1/logs/ws",
    "/work-items/runs/1/logs/sse",
];

#[tokio::test]
async fn only_served_hosts_are_answered() {
    let world = World::with(Setup { served_hosts: vec!["Spalla.example".into()], ..Setup::default() }).await;
    let port = world.address.port();
    let hosts = [
        (format!("127.0.0.1:{port}"), 200),
        (format!("localhost:{port}"), 200),
        (format!("[::1]:{port}"), 200),
        ("spalla.example".to_owned(), 200),
        ("127.0.0.1".to_owned(), 421),
        ("evil.example".to_owned(), 421),
        (format!("evil.example:{port}"), 421),
    ];
    for (host, expected) in hosts {
        let answer = head(&world, &["GET /health HTTP/1.1", &format!("Host: {host}")]).await;
        assert_eq!(status(&answer), expected, "{host}: {answer}");
    }
}

#[tokio::test]
async fn every_path_has_the_same_guard() {
    let world = World::start().await;
    let cases: [(&[&str], u16); 6] = [
        (&["Host: evil.example"], 421),
        (&["Host: {host}", "Host: {host}"], 400),
        (&[], 400),
        (&["Host: {host}", "Origin: http://evil.example"], 403),
        (&["Host: {host}", "Origin: null"], 403),
        (&["Host: {host}", "Content-Encoding: gzip"], 415),
    ];
    for path in PATHS {
        for (headers, expected) in cases {
            let mut lines = vec![format!("GET {path} HTTP/1.1")];
            lines.extend(headers.iter().map(|header| (*header).to_owned()));
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let answer = head(&world, &lines).await;
            assert_eq!(status(&answer), expected, "{lines:?}: {answer}");
            assert!(answer.contains("application/problem+json"), "{answer}");
        }
    }
}

#[tokio::test]
async fn a_page_of_this_server_may_call_it_and_another_one_may_not() {
    let world = World::start().await;
    let host = world.address.to_string();
    let with = |origin: String| {
        world.request("POST", "/projects/").header("origin", origin).json(&json!({"name": "a"}))
    };
    world.send(with(format!("http://{host}"))).await.json(201);
    let port = world.address.port();
    for origin in
        [format!("https://{host}"), format!("http://localhost:{port}"), format!("http://{host}.evil.example")]
    {
        world.send(with(origin)).await.problem(403, "foreign_origin");
    }
    let site = |site: &str| {
        world.request("POST", "/projects/").header("sec-fetch-site", site).json(&json!({"name": "a"}))
    };
    world.send(site("same-origin")).await.json(201);
    world.send(site("cross-site")).await.problem(403, "cross_site");
    let read = world.request("GET", "/projects/").header("sec-fetch-site", "cross-site");
    world.send(read).await.json(200);
}

#[tokio::test]
async fn a_target_that_names_another_host_is_refused() {
    let world = World::start().await;
    let own = head(&world, &["GET http://{host}/health HTTP/1.1", "Host: {host}"]).await;
    assert_eq!(status(&own), 200, "{own}");
    let other = head(&world, &["GET http://evil.example/health HTTP/1.1", "Host: {host}"]).await;
    assert_eq!(status(&other), 421, "{other}");
    let connect = head(&world, &["CONNECT {host} HTTP/1.1", "Host: {host}"]).await;
    assert!((400..500).contains(&status(&connect)), "{connect}");
}

#[tokio::test]
async fn two_lengths_are_refused_even_when_they_agree() {
    let world = World::start().await;
    let request = |headers: &str| {
        let host = world.address;
        format!(
            "POST /scheduler/tick HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n{headers}\r\n\r\n{{}}"
        )
    };
    let cases = [
        "Content-Length: 2\r\nContent-Length: 2",
        "Content-Length: 2\r\nContent-Length: 3",
        "Content-Length: 2, 2",
        "Content-Length: 2\r\nTransfer-Encoding: chunked",
        "Content-Length: +2",
    ];
    for headers in cases {
        let answer = send(&world, request(headers)).await;
        assert_eq!(status(&answer), 400, "{headers}: {answer}");
    }
    let second =
        format!("{}{}", request("Content-Length: 2"), request("Content-Length: 2\r\ncontent-length: 2"));
    let answer = send(&world, second).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("HTTP/1.1 400"), "{answer}");
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let world = World::start().await;
    let answer =
        head(&world, &["GET /health HTTP/1.1", "Host: {host}", &format!("X: {}", "x".repeat(33_000))]).await;
    assert_eq!(status(&answer), 431, "{answer}");
    let answer =
        head(&world, &["GET /health HTTP/1.1", "Host: {host}", &format!("X: {}", "x".repeat(30_000))]).await;
    assert_eq!(status(&answer), 200, "{answer}");
}

#[tokio::test]
async fn what_is_no_http_ends_the_connection_and_nothing_else() {
    let world = World::start().await;
    for bytes in
        [&b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n"[..], b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET\r\n\r\n"]
    {
        let answer = send(&world, bytes).await;
        assert!(answer.is_empty() || (400..506).contains(&status(&answer)), "{answer}");
    }
    world.get("/health").await.json(200);
}

#[tokio::test]
async fn every_answer_forbids_what_a_page_could_do_with_it() {
    let world = World::start().await;
    for path in PATHS.into_iter().filter(|path| *path != "/events") {
        let answer = world.get(path).await;
        assert_eq!(answer.header("x-frame-options"), "DENY", "{path}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        assert_eq!(answer.header("cross-origin-resource-policy"), "same-origin", "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), "", "{path}");
    }
}
