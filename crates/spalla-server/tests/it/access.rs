//! Who is let in where.

use crate::world::{CODE, TOKEN, World};
use serde_json::json;
use std::collections::BTreeSet;

#[tokio::test]
async fn everything_but_health_wants_the_token() {
    let world = World::start_with_token().await;
    let paths =
        ["/projects/", "/events", "/metrics", "/openapi.json", "/docs", "/docs/swagger-ui.css", "/nothing"];
    for path in paths {
        let answer = world.send(world.bare("GET", path)).await;
        answer.problem(401, "unauthorized");
        assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"spalla\"", "{path}");
    }
    let post = world.send(world.bare("POST", "/projects/").json(&json!({"name": "a"}))).await;
    post.problem(401, "unauthorized");
    for path in ["/health", "/health/", "/observability/health"] {
        world.send(world.bare("GET", path)).await.json(200);
    }
    world.get("/projects/").await.json(200);
}

#[tokio::test]
async fn only_the_whole_token_opens() {
    let world = World::start_with_token().await;
    let wrong =
        ["Bearer", "Bearer x", "Basic dGVzdA==", &format!("Bearer {TOKEN}x"), &format!("Token {TOKEN}")];
    for value in wrong {
        let request = world.bare("GET", "/projects/").header("authorization", value);
        world.send(request).await.problem(401, "unauthorized");
    }
    let twice = world.bare("GET", "/projects/").bearer_auth(TOKEN).header("authorization", "Bearer x");
    world.send(twice).await.problem(401, "unauthorized");
    world.send(world.bare("GET", &format!("/projects/?token={TOKEN}"))).await.problem(401, "unauthorized");
}

#[tokio::test]
async fn health_shows_the_particulars_only_to_who_has_the_token() {
    let world = World::start_with_token().await;
    assert_eq!(world.send(world.bare("GET", "/health")).await.json(200), json!({"status": "ok"}));
    let details = world.get("/health").await.json(200);
    assert_eq!((&details["status"], &details["details"]["version"]), (&json!("ok"), &json!("1.2.3")));
}

#[tokio::test]
async fn the_start_link_works_once_and_leaves_a_cookie_that_opens_the_pages() {
    let world = World::start_with_token().await;
    let shut = world.send(world.bare("GET", "/")).await;
    assert_eq!((shut.status, shut.header("content-type")), (401, "text/html; charset=utf-8"));
    assert!(shut.text.contains("start") && shut.text.contains("spalla token show"), "{}", shut.text);
    assert_eq!(world.send(world.bare("GET", "/?code=wrong")).await.status, 401);

    let link = format!("/?code={CODE}");
    let opened = world.send(world.bare("GET", &link)).await;
    assert_eq!((opened.status, opened.header("location")), (303, "/"));
    let cookie = opened.header("set-cookie").to_owned();
    for attribute in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    assert!(!cookie.contains(TOKEN) && !cookie.contains(CODE), "{cookie}");
    assert_eq!(world.send(world.bare("GET", &link)).await.status, 401);

    let pair = cookie.split(';').next().unwrap();
    for path in ["/", "/docs", "/openapi.json", "/projects/"] {
        assert_eq!(world.send(world.bare("GET", path).header("cookie", pair)).await.status, 200, "{path}");
    }
    let forged = format!("{}0", pair);
    assert_eq!(world.send(world.bare("GET", "/docs").header("cookie", forged)).await.status, 401);
}

#[tokio::test]
async fn without_a_token_everybody_is_let_in() {
    let world = World::start().await;
    for path in ["/projects/", "/docs", "/openapi.json", "/metrics", "/"] {
        assert_eq!(world.send(world.bare("GET", path)).await.status, 200, "{path}");
    }
    let link = world.send(world.bare("GET", "/?code=any")).await;
    assert_eq!((link.status, link.header("location"), link.header("set-cookie")), (303, "/", ""));
    assert_eq!(world.get("/health").await.json(200)["details"]["version"], "1.2.3");
}

#[tokio::test]
async fn whoever_is_let_in_hears_what_a_path_does_not_know_and_nobody_else_does() {
    let world = World::start_with_token().await;
    let made = world.post("/tokens", json!({"name": "v", "role": "viewer"})).await.json(201);
    let viewer = made["token"].as_str().unwrap();
    for (method, path) in [
        ("DELETE", "/scheduler/tick"),
        ("PUT", "/projects/1"),
        ("POST", "/work-items/runs/7/artifacts/a/b"),
        ("PROPFIND", "/projects/"),
        ("POST", "/openapi.json"),
    ] {
        let call = |token: Option<&str>| {
            let request = world.bare(method, path);
            world.send(match token {
                Some(token) => request.bearer_auth(token),
                None => request,
            })
        };
        let (router, table) = (call(Some(TOKEN)).await, call(Some(viewer)).await);
        for answer in [&router, &table] {
            answer.problem(405, "method_not_allowed");
        }
        let methods = |allow: &str| -> BTreeSet<String> { allow.split(',').map(str::to_owned).collect() };
        assert_eq!(methods(router.header("allow")), methods(table.header("allow")), "{method} {path}");
        call(None).await.problem(401, "unauthorized");
        call(Some("wrong")).await.problem(401, "unauthorized");
    }
    for path in ["/nothing", "/projects/1/nothing", "/work-items/runs/1/logs/nothing"] {
        for method in ["GET", "POST"] {
            let request = || world.bare(method, path);
            world.send(request().bearer_auth(viewer)).await.problem(404, "not_found");
            world.send(request()).await.problem(401, "unauthorized");
        }
    }
}
