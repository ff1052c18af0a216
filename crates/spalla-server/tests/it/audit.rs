//! The audit: every call that is to change something, with who made it and what came of it.

use crate::world::{SECRET_KEY, Setup, TOKEN, World};
use serde_json::{Value, json};
use spalla_domain::fernet::KeyRing;
use spalla_server::{Access, Token, Vault};

fn guarded() -> Setup {
    Setup { access: Access::Token(Token::new(TOKEN)), ..Setup::default() }
}

/// Returns operation, resource, outcome and code of each entry, oldest first.
async fn entries(world: &World, query: &str) -> Vec<[Value; 4]> {
    let list = world.get(&format!("/audit{query}")).await.json(200);
    let shown = |entry: &Value| ["operation", "resource", "outcome", "code"].map(|name| entry[name].clone());
    let mut shown: Vec<_> = list.as_array().unwrap().iter().map(shown).collect();
    shown.reverse();
    shown
}

#[tokio::test]
async fn a_call_is_recorded_with_who_made_it_and_what_came_of_it() {
    for world in World::on_both_stores().await {
        let named = world.request("POST", "/projects/").header("x-request-id", "mine");
        world.send(named.json(&json!({"name": "a"}))).await.json(201);
        world.post("/projects", json!({"nam": "a"})).await.problem(422, "invalid");
        world.post("/scheduler/enqueue", json!({"work_item_id": 9})).await.problem(404, "not_found");
        world.delete("/projects/1/").await;
        let list = world.get("/audit?count=true").await;
        assert_eq!(list.header("x-total-count"), "4");
        let first = json!({
            "id": 1, "at": "2023-11-14T22:13:20.000Z", "principal": "anyone", "client": "127.0.0.1",
            "operation": "POST /projects", "resource": "/projects", "outcome": "done", "code": null,
            "request_id": "mine",
        });
        let mut oldest = list.json(200)[3].clone();
        for hash in ["previous_hash", "hash"] {
            let hash = oldest.as_object_mut().unwrap().remove(hash).unwrap();
            assert_eq!(hash.as_str().unwrap().len(), 64);
        }
        assert_eq!(oldest, first);
        let expected = [
            json!(["POST /projects", "/projects", "done", null]),
            json!(["POST /projects", "/projects", "refused", "invalid"]),
            json!(["POST /scheduler/enqueue", "/scheduler/enqueue", "refused", "not_found"]),
            json!(["DELETE /projects/{id}", "/projects/1", "done", null]),
        ];
        assert_eq!(json!(entries(&world, "").await), json!(expected));
        assert_eq!(json!(entries(&world, "?outcome=refused").await), json!(expected[1..3]));
        assert_eq!(json!(entries(&world, "?resource=/projects/1").await), json!(expected[3..]));
        assert_eq!(
            json!(entries(&world, "?operation=POST%20/projects&outcome=done").await),
            json!(expected[..1])
        );
        assert_eq!(world.get("/audit?outcome=odd").await.invalid(), ["outcome"]);
    }
}

/// Does with a token what workers do: claims, extends, exchanges, ticks, sends lines and a file, and ends the run.
async fn work(world: &World, token: &str) -> i64 {
    let post = async |path: &str, body: Value| {
        world.send(world.bare("POST", path).bearer_auth(token).json(&body)).await.json(200)
    };
    let claim = post("/scheduler/claim", json!({"worker_id": "w", "max": 1})).await;
    let (run, fence) =
        (claim["runs"][0]["run_id"].as_i64().unwrap(), claim["runs"][0]["fencing_token"].clone());
    let path = format!("/work-items/runs/{run}");
    post(&format!("{path}/heartbeat"), json!({"worker_id": "w", "fencing_token": fence})).await;
    let held = |method: &str, path: &str| {
        world.bare(method, path).bearer_auth(token).header("x-fencing-token", fence.as_i64().unwrap())
    };
    let log = held("POST", &format!("{path}/logs")).header("content-type", "text/plain");
    world.send(log.body("a\n")).await.json(200);
    post("/scheduler/exchange", json!({"worker_id": "w", "max": 0})).await;
    post("/scheduler/tick", json!({})).await;
    world.send(held("PUT", &format!("{path}/artifacts/a/b")).body("x")).await.json(201);
    post(&format!("{path}/complete?success=true"), json!({"fencing_token": fence})).await;
    run
}

#[tokio::test]
async fn what_workers_send_without_end_is_not_recorded_and_what_they_end_is() {
    for world in World::on_both_stores_with(guarded).await {
        let made = world.post("/tokens", json!({"name": "build", "kind": "worker"})).await.json(201);
        world.queued(json!({})).await;
        let run = work(&world, made["token"].as_str().unwrap()).await;
        let ended = format!("/work-items/runs/{run}/complete");
        let expected = json!([["POST /work-items/runs/{id}/complete", ended, "done", null]]);
        assert_eq!(json!(entries(&world, "?principal=worker:build%231").await), expected);
    }
}

#[tokio::test]
async fn what_people_do_as_workers_do_is_recorded_whoever_they_are() {
    for setup in [guarded as fn() -> Setup, Setup::default] {
        for world in World::on_both_stores_with(setup).await {
            let (mut tokens, me) = (vec![TOKEN.to_owned()], world.get("/whoami").await.json(200));
            if me["kind"] == "administrator" {
                let made = world.post("/tokens", json!({"name": "ada", "role": "admin"})).await.json(201);
                tokens.push(made["token"].as_str().unwrap().to_owned());
            }
            for token in tokens {
                world.queued(json!({})).await;
                let before = entries(&world, "").await.len();
                let run = work(&world, &token).await;
                let of = |path: &str| format!("/work-items/runs/{run}{path}");
                let expected = json!([
                    ["POST /scheduler/claim", "/scheduler/claim", "done", null],
                    ["POST /work-items/runs/{id}/heartbeat", of("/heartbeat"), "done", null],
                    ["POST /work-items/runs/{id}/logs", of("/logs"), "done", null],
                    ["POST /scheduler/exchange", "/scheduler/exchange", "done", null],
                    ["PUT /work-items/runs/{id}/artifacts/{path}", of("/artifacts/a/b"), "done", null],
                    ["POST /work-items/runs/{id}/complete", of("/complete"), "done", null],
                ]);
                assert_eq!(json!(entries(&world, "").await[before..]), expected);
            }
        }
    }
}

#[tokio::test]
async fn a_claim_that_waits_is_recorded_once_with_what_it_takes_or_when_nothing_came() {
    let world = World::with(guarded()).await;
    let before = entries(&world, "?operation=POST%20/scheduler/claim").await.len();
    let claim = world.post("/scheduler/claim", json!({"worker_id": "w", "wait_seconds": 20}));
    let (claimed, _) = tokio::join!(claim, world.queued(json!({})));
    assert_eq!(claimed.json(200)["runs"].as_array().unwrap().len(), 1);
    assert_eq!(entries(&world, "?operation=POST%20/scheduler/claim").await.len(), before + 1);
    world.post("/scheduler/claim", json!({"worker_id": "w"})).await.json(200);
    assert_eq!(entries(&world, "?operation=POST%20/scheduler/claim").await.len(), before + 2);
}

#[tokio::test]
async fn a_rotation_of_keys_is_recorded_with_each_secret_that_it_changed() {
    const NEW: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    for world in World::on_both_stores().await {
        let hook = json!({"url": "http://hooks.example.org/", "events": ["*"], "enabled": false});
        world.post("/webhooks", hook).await.json(201);
        let keys = KeyRing::parse(&format!("{NEW} {SECRET_KEY}")).unwrap();
        let (clock, randomness) = (world.clock.clone(), world.randomness.clone());
        let rotated = Vault::new(keys, world.store.clone(), clock, randomness).rotate().await.unwrap();
        assert_eq!(rotated.resealed, 1);
        let expected = json!([
            ["secrets rotate", "/secrets", "done", null],
            ["secrets rotate", "/webhooks/1", "done", null],
        ]);
        assert_eq!(json!(entries(&world, "?operation=secrets%20rotate").await), expected);
    }
}

#[tokio::test]
async fn whoever_is_not_let_in_leaves_nothing_and_the_token_has_a_name() {
    let world = World::start_with_token().await;
    let foreign = world.bare("POST", "/projects/").json(&json!({"name": "a"}));
    world.send(foreign).await.problem(401, "unauthorized");
    world.send(world.request("PROPFIND", "/projects/")).await.problem(405, "method_not_allowed");
    world.post("/nowhere", json!({})).await.problem(404, "not_found");
    world.project().await;
    let list = world.get("/audit").await.json(200);
    assert_eq!((list.as_array().unwrap().len(), &list[0]["principal"]), (1, &json!("administrator")));
    assert!(!list.to_string().contains(TOKEN));
}
