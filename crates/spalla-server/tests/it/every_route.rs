//! What holds on every route, read from the document: whoever adds one is held to it as well.

use crate::answer::document;
use crate::raw::{head, send, status};
use crate::tokens::{agent, get, guarded, post};
use crate::viewer::web_socket;
use crate::world::{TOKEN, World};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tokio_tungstenite::tungstenite::Error;

/// Every method and path that the document names; ids are those of the first thing of each kind.
async fn operations(world: &World) -> Vec<(String, String, String)> {
    let paths = document(world).await["paths"].as_object().unwrap();
    let of_path = |(template, item): (&String, &Value)| {
        let path = ["{id}", "{draft}"].iter().fold(template.clone(), |path, name| path.replace(name, "1"));
        let path = path.replace("{file}", "index.css").replace("{path}", "a").replace("{action}", "pause");
        let path = path.replace("{name}", "x");
        let methods: Vec<_> = item.as_object().unwrap().keys().map(|method| method.to_uppercase()).collect();
        methods.into_iter().map(move |method| (method, template.clone(), path.clone())).collect::<Vec<_>>()
    };
    paths.iter().flat_map(of_path).collect()
}

/// What everybody may call: the answer says nothing to a stranger, or decides by another proof than a token.
const OPEN: [&str; 4] = ["/", "/health", "/observability/health", "/api/github/webhook"];

#[tokio::test]
async fn on_every_route_whoever_shows_no_token_that_opens_is_nobody() {
    let world = World::with(guarded()).await;
    world.claimed_run(json!({})).await;
    let wrong = [
        String::new(),
        "Authorization: Bearer\r\n".to_owned(),
        format!("Authorization: Bearer {TOKEN}x\r\n"),
        format!("Authorization: bearer {TOKEN}\r\nAuthorization: Bearer x\r\n"),
        format!("Authorization: Basic {TOKEN}\r\n"),
        format!("Cookie: spalla={TOKEN}\r\n"),
        format!("X-Forwarded-User: admin\r\nX-Api-Key: {TOKEN}\r\n"),
    ];
    let mut tried = 0;
    for (method, template, path) in operations(&world).await {
        if OPEN.contains(&template.as_str()) {
            continue;
        }
        // A minute later nobody who guesses is told to wait.
        world.clock.advance(60_000);
        for shown in &wrong {
            for method in [method.as_str(), "HEAD", "OPTIONS"] {
                let text = format!(
                    "{method} {path} HTTP/1.1\r\nHost: {}\r\n{shown}Content-Type: application/json\r\n\
                     Content-Length: 2\r\nConnection: close\r\n\r\n{{}}",
                    world.address
                );
                let answer = send(&world, text).await;
                assert_eq!(status(&answer), 401, "{method} {path} with {shown:?}: {answer}");
                tried += 1;
            }
        }
    }
    assert!(tried > 1_500, "{tried}");
}

#[tokio::test]
async fn on_every_route_a_page_of_somebody_else_is_turned_away_even_with_the_token() {
    let world = World::with(guarded()).await;
    world.claimed_run(json!({})).await;
    let bearer = format!("Authorization: Bearer {TOKEN}");
    for (method, _, path) in operations(&world).await {
        let line = format!("{method} {path} HTTP/1.1");
        for (expected, extra) in [
            (421, &["Host: evil.example"][..]),
            (403, &["Host: {host}", "Origin: http://evil.example"]),
            (403, &["Host: {host}", "Origin: null"]),
            (400, &["Host: {host}", "Origin: http://{host}", "Origin: http://evil.example"]),
            (415, &["Host: {host}", "Content-Encoding: br"]),
        ] {
            let answer = head(&world, &[&[line.as_str(), bearer.as_str()][..], extra].concat()).await;
            assert_eq!(status(&answer), expected, "{line} {extra:?}: {answer}");
        }
        if method != "GET" {
            let site = head(&world, &[&line, "Host: {host}", &bearer, "Sec-Fetch-Site: cross-site"]).await;
            assert_eq!(status(&site), 403, "{line}: {site}");
        }
    }
}

#[tokio::test]
async fn on_no_route_the_agent_of_a_run_says_yes_or_does_what_is_not_its_own() {
    for world in World::on_both_stores_with(guarded).await {
        let (run, fence, token) = agent(&world).await;
        let shown = world.get(&format!("/work-items/runs/{run}")).await.json(200);
        let (item, project) = (&shown["work_item_id"], &shown["project_id"]);
        assert_eq!([&json!(run), item, project], [1, 1, 1], "the first of each kind is the agent's own");
        world.post(&format!("/work-items/{item}/approvals"), json!({})).await.json(201);
        world.post(&format!("/projects/{project}/vision"), json!({"text": "- build it"})).await.json(201);
        world.post(&format!("/projects/{project}/requirements/propose"), json!({})).await.json(201);
        let ask = json!({"reason": "r", "fencing_token": fence, "fields": [{"name": "A", "secret": false}]});
        world.post(&format!("/work-items/runs/{run}/info-requests"), ask).await.json(201);
        let schedule = json!({"work_item_id": item, "cron": "0 6 * * *"});
        world.post("/scheduler/schedules", schedule).await.json(201);
        let before = world.get("/work-items/1").await.json(200);

        let mut let_through = BTreeSet::new();
        for (method, template, path) in operations(&world).await {
            let request = world.bare(&method, &path).bearer_auth(&token);
            let request = if method == "GET" { request } else { request.json(&json!({})) };
            // Of a stream no more is wanted than that it begins.
            let status = request.send().await.unwrap().status().as_u16();
            if ![401, 403, 404].contains(&status) {
                let_through.insert(format!("{method} {}", template.trim_end_matches('/')));
            }
        }
        let is_beyond = |operation: &&String| !OF_AGENTS.contains(&operation.as_str());
        assert_eq!(let_through.iter().find(is_beyond), None, "{let_through:#?}");
        for operation in ["POST /work-items/runs/{id}/logs", "POST /api/messages", "GET /projects/{id}"] {
            assert!(let_through.contains(operation), "{operation}: {let_through:#?}");
        }

        for (path, member, value) in [
            ("/work-items/approvals/1", "status", "pending"),
            ("/projects/1/requirements/1", "status", "proposed"),
            ("/work-items/runs/info-requests/1", "status", "pending"),
            ("/work-items/runs/1", "status", "awaiting_input"),
        ] {
            assert_eq!(world.get(path).await.json(200)[member], value, "{path}");
        }
        assert_eq!(world.get("/work-items/1").await.json(200), before);
        assert_eq!(world.get("/tokens").await.json(200), json!([]));
        // What may be read of its own by somebody else's number is not there.
        let (other, _, _) = agent(&world).await;
        for path in ["", "/logs", "/artifacts", "/info-requests"] {
            get(&world, &token, &format!("/work-items/runs/{other}{path}")).await.problem(404, "not_found");
        }
        for path in ["approve", "reject"] {
            let path = format!("/work-items/approvals/1/{path}");
            post(&world, &token, &path, json!({"by": "admin"})).await.problem(403, "forbidden");
        }
    }
}

/// What the agent of a run may call, and nothing besides; what it gets there is its own, or is said to everybody.
const OF_AGENTS: [&str; 37] = [
    "GET /health",
    "GET /observability/health",
    "GET /whoami",
    "GET /docs",
    "GET /docs/{file}",
    "GET /openapi.json",
    "GET /schemas/agent.json",
    // Each tool is looked at as the request that it stands for.
    "POST /mcp",
    "DELETE /mcp",
    // It decides by the signature.
    "POST /api/github/webhook",
    "GET /projects",
    "GET /projects/{id}",
    "GET /projects/{id}/vision",
    "GET /projects/{id}/requirements",
    "GET /projects/{id}/requirements/{draft}",
    "GET /work-items",
    "POST /work-items",
    "POST /work-items/bulk",
    "GET /work-items/{id}",
    "GET /work-items/{id}/tool-recipe",
    "GET /scheduler/dead-letters",
    "GET /work-items/runs/{id}",
    "GET /work-items/runs/{id}/logs",
    "GET /work-items/runs/{id}/logs/ws",
    "GET /work-items/runs/{id}/logs/sse",
    "POST /work-items/runs/{id}/logs",
    "POST /work-items/runs/{id}/events",
    "GET /work-items/runs/{id}/artifacts",
    "GET /work-items/runs/{id}/artifacts/{path}",
    "PUT /work-items/runs/{id}/artifacts/{path}",
    "GET /work-items/runs/{id}/info-requests",
    "POST /work-items/runs/{id}/info-requests",
    "GET /work-items/runs/info-requests/{id}",
    "POST /api/messages",
    "GET /api/messages",
    "GET /api/messages/inbox",
    "GET /api/messages/{id}",
];

#[tokio::test]
async fn streams_of_all_kinds_are_counted_together_for_each_principal() {
    let world = World::with(guarded()).await;
    let (run, _) = world.claimed_run(json!({})).await;
    let made = world.post("/tokens", json!({"name": "a", "role": "viewer"})).await.json(201);
    let token = made["token"].as_str().unwrap();
    let bearer = format!("Bearer {token}");
    let logs = format!("/work-items/runs/{run}/logs");
    let socket = async |path: &str| web_socket(world.address, path, &[("authorization", &bearer)]).await;
    let stream = async |path: &str| world.bare("GET", path).bearer_auth(token).send().await.unwrap();
    let (mut sockets, mut streams) = (vec![], vec![]);
    for _ in 0..16 {
        sockets.push(socket(&format!("{logs}/ws")).await.unwrap());
        sockets.push(socket("/api/ws").await.unwrap());
        streams.push(stream("/events").await);
        streams.push(stream(&format!("{logs}/sse")).await);
    }
    assert!(streams.iter().all(|stream| stream.status() == 200));
    for path in ["/events", "/api/events/stream", &format!("{logs}/sse")] {
        assert_eq!(stream(path).await.status(), 429, "{path}");
    }
    for path in ["/api/ws", &format!("{logs}/ws")] {
        match socket(path).await {
            Err(Error::Http(answer)) => assert_eq!(answer.status(), 429, "{path}"),
            other => panic!("{path}: {other:?}"),
        }
    }
    // Somebody else is not held up by it.
    assert_eq!(world.request("GET", "/events").send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_body_has_a_mebibyte_and_sixty_four_levels_and_not_one_more() {
    let world = World::with(guarded()).await;
    let json = |body: String| {
        world.request("POST", "/projects/").header("content-type", "application/json").body(body)
    };
    let padded = |bytes: usize| {
        let name = r#"{"name": "a"}"#;
        name.to_owned() + &" ".repeat(bytes - name.len())
    };
    world.send(json(padded(1024 * 1024))).await.json(201);
    world.send(json(padded(1024 * 1024 + 1))).await.problem(413, "payload_too_large");
    let nested = |levels: usize| {
        let inner = levels - 1;
        format!(r#"{{"name": "a", "description": {}{}}}"#, "[".repeat(inner), "]".repeat(inner))
    };
    // One that is read is refused for what it is, and the other for how deep it is.
    assert_eq!(world.send(json(nested(64))).await.status, 422);
    let deep = world.send(json(nested(65))).await;
    assert!([400, 422].contains(&deep.status) && deep.text.contains("64"), "{}", deep.text);
}
