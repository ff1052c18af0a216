//! Attacks over HTTP, with a token and without: the right status each, and nothing that was not meant.

use crate::raw::{head, send, status};
use crate::world::{Setup, TOKEN, World};
use serde_json::{Value, json};
use spalla_server::{Access, Token};

fn guarded() -> Setup {
    Setup { access: Access::Token(Token::new(TOKEN)), ..Setup::default() }
}

const PATHS: [&str; 5] =
    ["/projects/", "/events", "/work-items/runs/1/logs/ws", "/work-items/runs/1/logs/sse", "/tokens"];

#[tokio::test]
async fn the_guard_stands_before_every_method_whether_a_token_is_wanted_or_not() {
    for setup in [Setup::default(), guarded()] {
        let world = World::with(setup).await;
        let bearer = format!("Authorization: Bearer {TOKEN}");
        for path in PATHS {
            for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"] {
                let line = format!("{method} {path} HTTP/1.1");
                let cases: [(&[&str], u16); 7] = [
                    (&["Host: evil.example"], 421),
                    (&["Host: 127.0.0.1"], 421),
                    (&["Host: {host}", "Host: evil.example"], 400),
                    (&["Host: {host}", "Origin: http://evil.example"], 403),
                    (&["Host: {host}", "Origin: null"], 403),
                    (&["Host: {host}", "Content-Encoding: gzip"], 415),
                    (&["Host: {host}", "Content-Length: 0", "Content-Length: 0"], 400),
                ];
                for (headers, expected) in cases {
                    let mut lines = vec![line.as_str(), bearer.as_str()];
                    lines.extend(headers);
                    let answer = head(&world, &lines).await;
                    assert_eq!(status(&answer), expected, "{lines:?}: {answer}");
                }
                let absolute = format!("{method} http://evil.example{path} HTTP/1.1");
                let answer = head(&world, &[&absolute, "Host: {host}", &bearer]).await;
                assert_eq!(status(&answer), 421, "{absolute}: {answer}");
                if !["GET", "HEAD", "OPTIONS"].contains(&method) {
                    let site =
                        head(&world, &[&line, "Host: {host}", &bearer, "Sec-Fetch-Site: cross-site"]).await;
                    assert_eq!(status(&site), 403, "{line}: {site}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_handshake_from_a_foreign_page_becomes_no_web_socket() {
    let world = World::with(guarded()).await;
    let (run, _) = world.claimed_run(json!({})).await;
    let line = format!("GET /work-items/runs/{run}/logs/ws HTTP/1.1");
    let handshake = [
        line.as_str(),
        "Host: {host}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ];
    let with = async |extra: &[&str]| status(&head(&world, &[&handshake[..], extra].concat()).await);
    let bearer = format!("Authorization: Bearer {TOKEN}");
    assert_eq!(with(&[]).await, 401);
    assert_eq!(with(&["Origin: http://evil.example", &bearer]).await, 403);
    assert_eq!(with(&["Authorization: Bearer spl_1_0"]).await, 401);
}

#[tokio::test]
async fn paths_of_artifacts_do_not_lead_out() {
    let world = World::with(guarded()).await;
    let (run, fence) = world.claimed_run(json!({})).await;
    for path in [
        "../../etc/passwd",
        "..%2f..%2fetc%2fpasswd",
        "%2e%2e/%2e%2e/etc/passwd",
        "a/../../b",
        "a/%2e%2e/b",
        "/etc/passwd",
        "%2Fetc%2Fpasswd",
        "a%00b",
        "a%0d%0aX-Injected:%201",
        "a//b",
        "./a",
        "a\\..\\b",
        "..",
        "%2e%2e",
    ] {
        let bytes = format!(
            "PUT /work-items/runs/{run}/artifacts/{path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {TOKEN}\r\n\
             X-Fencing-Token: {fence}\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx",
            world.address
        );
        let answer = send(&world, bytes).await;
        assert!((400..500).contains(&status(&answer)), "{path}: {answer}");
        assert!(!answer.to_lowercase().contains("\r\nx-injected"), "{answer}");
    }
    let list = world.get(&format!("/work-items/runs/{run}/artifacts")).await.json(200);
    assert_eq!(list, json!([]));
}

#[tokio::test]
async fn bodies_beyond_what_is_read_are_refused() {
    let world = World::with(guarded()).await;
    let large = json!({"name": "a", "description": "x".repeat(1024 * 1024)});
    world.post("/projects/", large.clone()).await.problem(413, "payload_too_large");
    world.post("/tokens", large.clone()).await.problem(413, "payload_too_large");
    world.post("/webhooks", large).await.problem(413, "payload_too_large");
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = format!("{}1{}", open.repeat(10_000), close.repeat(10_000));
        for path in ["/projects/", "/tokens", "/webhooks", "/scheduler/exchange"] {
            let request = world.request("POST", path).header("content-type", "application/json");
            let answer = world.send(request.body(deep.clone())).await;
            assert!([400, 422].contains(&answer.status), "{path}: {}", answer.text);
        }
    }
    let text = world.request("POST", "/tokens").header("content-type", "text/plain").body("{}");
    assert_eq!(world.send(text).await.status, 415);
}

#[tokio::test]
async fn a_member_that_an_object_has_twice_is_refused_wherever_that_is() {
    let world = World::with(guarded()).await;
    for (path, body, place) in [
        ("/projects/", r#"{"name": "a", "name": "b"}"#, "name"),
        ("/projects/", r#"{"name": "a", "limits": {"processes": 5, "processes": 6}}"#, "limits.processes"),
        (
            "/projects/",
            r#"{"name": "a", "limits": {"processes": 5, "process\u0065s": 6}}"#,
            "limits.processes",
        ),
        (
            "/work-items/",
            r#"{"project_id": 1, "title": "a", "limits": {"disk_mb": 5, "disk_mb": 6}}"#,
            "limits.disk_mb",
        ),
        ("/scheduler/exchange", r#"{"x": [{"a": {"b": 1, "b": 1}}]}"#, "x"),
    ] {
        let request = world.request("POST", path).header("content-type", "application/json");
        let errors = &world.send(request.body(body)).await.problem(422, "invalid")["errors"];
        assert_eq!(errors[0]["path"], place, "{path} {body}: {errors}");
    }
    assert_eq!(world.get("/projects/").await.json(200), json!([]));
}

const INJECTIONS: [&str; 8] = [
    "'; drop table project; --",
    "\" or 1=1 --",
    "<script>alert(1)</script>",
    "${jndi:ldap://evil.example/a}",
    "../../../etc/passwd",
    "a\r\nX-Injected: 1\r\n\r\n",
    "\u{202e}\u{200b}\u{feff}",
    "%s%n%x{{7*7}}",
];

#[tokio::test]
async fn injected_texts_stay_texts() {
    for world in World::on_both_stores_with(guarded).await {
        for text in INJECTIONS {
            let body = json!({"name": text, "description": text});
            let project = world.post("/projects/", body).await.json(201);
            assert_eq!((&project["name"], &project["description"]), (&json!(text), &json!(text)));
            let item = json!({"project_id": project["id"], "title": text, "prompt": text, "category": "x"});
            let item = world.post("/work-items/", item).await.json(201);
            let shown = world.get(&format!("/work-items/{}", item["id"])).await.json(200);
            assert_eq!((&shown["title"], &shown["prompt"]), (&json!(text), &json!(text)));
            for filter in ["q", "label"] {
                let found = world.send(world.request("GET", "/work-items/").query(&[(filter, text)])).await;
                assert_eq!(found.header("x-injected"), "");
                found.json(200);
            }
            for filter in ["principal", "operation", "resource"] {
                let found = world.send(world.request("GET", "/audit").query(&[(filter, text)])).await;
                assert_eq!(found.json(200), json!([]), "{filter}: {text}");
            }
            let token = world.post("/tokens", json!({"name": text, "role": "viewer"})).await;
            assert_eq!(token.status, 422, "{text}");
            let role = world.post("/tokens", json!({"name": "a", "role": text})).await;
            assert_eq!(role.status, 422, "{text}");
        }
        let page = world.get("/").await.text;
        assert!(!page.contains("<script>"), "{page}");
        assert_eq!(world.get("/projects/?count=true").await.header("x-total-count"), "8");
    }
}

#[tokio::test]
async fn headers_that_a_client_chooses_come_back_harmless_or_not_at_all() {
    let world = World::with(guarded()).await;
    for id in ["a b", "<x>", "é", &"x".repeat(129), "a\tb"] {
        let request = world.request("GET", "/health").header("x-request-id", id.as_bytes());
        let answer = world.send(request).await;
        assert_ne!(answer.header("x-request-id"), id);
    }
    let lines = ["GET /health HTTP/1.1", "Host: {host}", "X-Request-ID: a\rX-Injected: 1"];
    let answer = head(&world, &lines).await;
    assert!(!answer.to_lowercase().contains("\nx-injected"), "{answer}");
}

#[tokio::test]
async fn streams_are_counted_by_principal_and_one_does_not_take_those_of_another() {
    let world = World::with(guarded()).await;
    let token = async |name: &str| {
        let made = world.post("/tokens", json!({"name": name, "role": "viewer"})).await.json(201);
        made["token"].as_str().unwrap().to_owned()
    };
    let (one, two) = (token("a").await, token("b").await);
    let open = async |token: &str| world.bare("GET", "/events").bearer_auth(token).send().await.unwrap();
    let mut streams = vec![];
    for _ in 0..64 {
        let stream = open(&one).await;
        assert_eq!(stream.status(), 200);
        streams.push(stream);
    }
    assert_eq!(open(&one).await.status(), 429);
    assert_eq!(open(&two).await.status(), 200);
    assert_eq!(world.request("GET", "/events").send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn the_chain_of_the_audit_is_exported_whole() {
    for world in World::on_both_stores_with(guarded).await {
        for _ in 0..3 {
            world.project().await;
        }
        let answer = world.get("/audit/export").await;
        assert_eq!(answer.header("content-type"), "application/x-ndjson");
        let lines: Vec<Value> = answer.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.iter().map(|line| line["id"].as_i64().unwrap()).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(lines[0]["previous_hash"], "0".repeat(64));
        assert!(lines.windows(2).all(|two| two[1]["previous_hash"] == two[0]["hash"]));
        let head = world.get("/audit/head").await.json(200);
        assert_eq!((&head["id"], &head["hash"]), (&json!(3), &lines[2]["hash"]));
        let rest = world.get("/audit/export?after=1&limit=1").await.text;
        assert_eq!(serde_json::from_str::<Value>(&rest).unwrap(), lines[1]);
    }
}

#[tokio::test]
async fn a_request_that_somebody_in_front_could_read_otherwise_hides_no_other() {
    let world = World::with(guarded()).await;
    let (host, bearer) = (world.address, format!("Authorization: Bearer {TOKEN}"));
    let hidden = format!("GET /projects/ HTTP/1.1\r\nHost: {host}\r\n{bearer}\r\nConnection: close\r\n\r\n");
    let request = |version: &str, lines: &str, body: &str| {
        format!(
            "POST /projects/ HTTP/{version}\r\nHost: {host}\r\n{bearer}\r\nContent-Type: application/json\r\n\
             {lines}\r\n\r\n{body}{hidden}"
        )
    };
    let whole = "f\r\n{\"name\": \"mine\"}\r\n0\r\n\r\n".replace("f\r\n", "10\r\n");
    let honest = send(&world, request("1.1", "Transfer-Encoding: chunked", &whole)).await;
    assert!(honest.starts_with("HTTP/1.1 201") && honest.matches("HTTP/1.1 ").count() == 2, "{honest}");
    for (version, lines, body) in [
        ("1.1", "Transfer-Encoding: xchunked", "0\r\n\r\n"),
        ("1.1", "Transfer-Encoding: identity", "0\r\n\r\n"),
        ("1.1", "Transfer-Encoding: gzip, chunked", "0\r\n\r\n"),
        ("1.1", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "0\r\n\r\n"),
        ("1.1", "Transfer-Encoding: chunked, identity", "0\r\n\r\n"),
        ("1.1", "Transfer-Encoding : chunked", "0\r\n\r\n"),
        ("1.1", "Transfer-Encoding:\u{b}chunked", "0\r\n\r\n"),
        ("1.1", "X: y\r\n Transfer-Encoding: chunked", "0\r\n\r\n"),
        ("1.1", "Content-Length: 0x2", "{}"),
        ("1.1", "Content-Length: -1", ""),
        ("1.0", "Transfer-Encoding: chunked", "0\r\n\r\n"),
        ("1.1", "Transfer-Encoding: chunked", "0x0\r\n\r\n"),
        ("1.1", "Transfer-Encoding: chunked", "-1\r\n\r\n"),
        ("1.1", "Transfer-Encoding: chunked", "fffffffffffffffff\r\n"),
        ("1.1", "Transfer-Encoding: chunked\r\nContent-Length: 5", "0\r\n\r\n"),
    ] {
        let answer = send(&world, request(version, lines, body)).await;
        assert!((400..502).contains(&status(&answer)), "{lines:?} {body:?}: {answer}");
        assert_eq!(answer.matches("HTTP/1.").count(), 1, "{lines:?} {body:?}: {answer}");
        assert!(!answer.contains("mine"), "{lines:?} {body:?}: {answer}");
    }
}

#[tokio::test]
async fn no_other_protocol_is_changed_to() {
    let world = World::with(guarded()).await;
    for upgrade in ["h2c", "HTTP/2.0", "TLS/1.0", "websocket, h2c"] {
        let lines = [
            "GET /projects/ HTTP/1.1",
            "Host: {host}",
            "HTTP2-Settings: AAMAAABkAAQAAP__",
            &format!("Upgrade: {upgrade}"),
            "Connection: Upgrade, HTTP2-Settings",
        ];
        let answer = head(&world, &lines).await;
        assert_eq!(status(&answer), 401, "{upgrade}: {answer}");
    }
}

#[tokio::test]
async fn a_path_in_another_spelling_opens_no_more_than_its_own() {
    let world = World::with(guarded()).await;
    for path in [
        "//projects/",
        "/projects//",
        "/%70rojects/",
        "/./projects/",
        "/x/../projects/",
        "/%2e%2e/projects/",
        "/projects/;x",
        "/projects;x=1/",
        "/projects/%2f",
        "/projects/..;/projects/",
        "/PROJECTS/",
        "/health/../projects/",
        "/health/%2e%2e/projects/",
        "/health%2f..%2fprojects/",
        "/health/..%5cprojects/",
        "/health;/projects/",
        "/api/../projects/",
        "/projects/%00",
        "/projects/%c0%ae%c0%ae/",
        "/projects/?/../../health",
        "/projects/#/../health",
    ] {
        let answer = head(&world, &[&format!("GET {path} HTTP/1.1"), "Host: {host}"]).await;
        assert!((400..=404).contains(&status(&answer)), "{path}: {answer}");
    }
}

#[tokio::test]
async fn no_header_and_no_query_makes_another_method_of_a_call() {
    let world = World::with(guarded()).await;
    let project = world.project().await;
    let bearer = format!("Authorization: Bearer {TOKEN}");
    for (query, header) in [
        ("", "X-HTTP-Method-Override: DELETE"),
        ("", "X-HTTP-Method: DELETE"),
        ("", "X-Method-Override: PATCH"),
        ("?_method=DELETE", "X: y"),
    ] {
        let line = format!("GET /projects/{project}{query} HTTP/1.1");
        let answer = head(&world, &[&line, "Host: {host}", &bearer, header]).await;
        assert!([200, 422].contains(&status(&answer)), "{query} {header}: {answer}");
        let still = world.get(&format!("/projects/{project}")).await.json(200);
        assert_eq!((&still["status"], &still["name"]), (&json!("active"), &still["name"]), "{header}");
    }
}
