//! Scratchpads over HTTP: who may have them, and where what was made may go.

use crate::world::{Setup, TOKEN, World};
use serde_json::{Value, json};
use spalla_server::{Access, Token};
use std::fs;
use std::path::PathBuf;

async fn made(world: &World, task: &str) -> (String, PathBuf) {
    let made = world.post("/api/scratchpads", json!({"task": task})).await.json(201);
    (made["id"].as_str().unwrap().to_owned(), made["path"].as_str().unwrap().into())
}

#[tokio::test]
async fn a_scratchpad_is_made_counted_put_aside_and_taken_out() {
    let world = World::in_memory().await;
    let answer = world.post("/api/scratchpads/", json!({"task": "Mend it", "agent": "codex"})).await;
    assert_eq!(answer.header("location"), "/api/scratchpads/Mend-it_1700000000");
    let shown = answer.json(201);
    assert_eq!(
        (&shown["state"], &shown["expires_at"]),
        (&json!("active"), &json!("2023-11-14T23:13:20.000Z"))
    );
    let path = PathBuf::from(shown["path"].as_str().unwrap());
    fs::write(path.join("output/a"), "made").unwrap();
    let at = |rest: &str| format!("/api/scratchpads/Mend-it_1700000000{rest}");
    assert_eq!(world.get(&at("")).await.json(200), shown);
    let stats = world.get(&at("/stats")).await.json(200);
    assert_eq!((&stats["total_files"], &stats["folders"]["output"]["bytes"]), (&json!(2), &json!(4)));
    assert_eq!(stats["workspace_size_kb"], 1);
    assert_eq!(world.post(&at("/pause"), json!({})).await.json(200)["state"], "paused");
    assert_eq!(world.post(&at("/pause"), json!({})).await.json(200)["expires_at"], Value::Null);
    assert_eq!(world.post(&at("/resume"), json!({})).await.json(200)["state"], "active");
    let exported = world.post(&at("/export"), json!({"folder": "mine"})).await.json(200);
    assert_eq!((&exported["files"], &exported["bytes"]), (&json!(1), &json!(4)));
    let into = world.data.path().join("exports/mine");
    assert_eq!(fs::read_to_string(into.join("output/a")).unwrap(), "made");
    world.post(&at("/export"), json!({"folder": "mine"})).await.problem(409, "scratchpad_conflict");
    world.post(&at("/export"), json!({"folder": "mine", "force": true})).await.json(200);
    world.post(&at("/export"), json!({})).await.json(200);
    let listed = world.get("/api/scratchpads?count=true").await;
    assert_eq!(listed.header("x-total-count"), "1");
    assert_eq!(listed.json(200)[0]["state"], "exported");
}

#[tokio::test]
async fn what_can_not_be_is_refused_and_leads_nowhere() {
    let world = World::in_memory().await;
    let (id, _) = made(&world, "a").await;
    for bad in ["none_1", "..", "a", "%2e%2e%2fa_1", "1"] {
        world.get(&format!("/api/scratchpads/{bad}/stats")).await.problem(404, "not_found");
        world.post(&format!("/api/scratchpads/{bad}/pause"), json!({})).await.problem(404, "not_found");
    }
    for bad in [
        json!({}),
        json!({"task": " "}),
        json!({"task": "a", "target": "/etc"}),
        json!({"task": "a", "template": "../x"}),
        json!({"task": "a", "session": "../x"}),
    ] {
        world.post("/api/scratchpads", bad).await.problem(422, "invalid");
    }
    for folder in ["..", "/etc", "a/b", ".x", ""] {
        let export = world.post(&format!("/api/scratchpads/{id}/export"), json!({"folder": folder})).await;
        export.problem(422, "invalid");
    }
    assert_eq!(world.get("/api/scratchpads").await.json(200).as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_same_wish_under_its_key_is_carried_out_once() {
    let world = World::in_memory().await;
    let send = async |task: &str| {
        let request = world.request("POST", "/api/scratchpads").header("idempotency-key", "k");
        world.send(request.json(&json!({"task": task}))).await
    };
    let first = send("a").await.json(201);
    assert_eq!(send("a").await.json(201), first);
    send("b").await.problem(422, "idempotency_key_reused");
    assert_eq!(world.get("/api/scratchpads").await.json(200).as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn only_who_gets_work_done_everywhere_has_scratchpads() {
    let setup = Setup { access: Access::Token(Token::new(TOKEN)), ..Setup::default() };
    let world = World::with(setup).await;
    let project = world.post("/projects/", json!({"name": "p"})).await.json(201)["id"].clone();
    for (role, status) in [("viewer", 403), ("approver", 403), ("operator", 201), ("admin", 201)] {
        let token = world.post("/tokens", json!({"name": role, "role": role})).await.json(201);
        let request = world.bare("POST", "/api/scratchpads").bearer_auth(token["token"].as_str().unwrap());
        assert_eq!(world.send(request.json(&json!({"task": "a"}))).await.status, status, "{role}");
    }
    let wish = json!({"name": "one", "role": "operator", "project_ids": [project]});
    let token = world.post("/tokens", wish).await.json(201);
    let request = world.bare("GET", "/api/scratchpads").bearer_auth(token["token"].as_str().unwrap());
    world.send(request).await.problem(403, "forbidden");
    world.send(world.bare("GET", "/api/scratchpads")).await.problem(401, "unauthorized");
}

#[tokio::test]
async fn a_server_that_starts_removes_what_is_over() {
    let mut world = World::in_memory().await;
    let (_, path) = made(&world, "a").await;
    world.clock.advance(3_600_000);
    world.restart().await;
    // The janitor is beside the calls, so that nothing but the end of its work says that it has looked.
    for _ in 0..1_000 {
        if !path.exists() {
            return;
        }
        world.get("/health").await;
    }
    panic!("{} is still there", path.display());
}
