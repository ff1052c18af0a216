//! Events that a run's worker and its agent tell while the run goes on.

use crate::answer::Answer;
use crate::world::{Setup, TOKEN, World};
use serde_json::{Value, json};
use spalla_domain::run_event::{EVENTS_AT_ONCE, PAYLOAD_BYTES_MAX};
use spalla_server::{Access, Token};
use spalla_store::view::EventFilter;

fn guarded() -> Setup {
    Setup { access: Access::Token(Token::new(TOKEN)), ..Setup::default() }
}

fn path(run: i64) -> String {
    format!("/work-items/runs/{run}/events")
}

async fn tell(world: &World, run: i64, token: i64, body: Value) -> Answer {
    let request = world.request("POST", &path(run)).header("x-fencing-token", token).json(&body);
    world.send(request).await
}

/// Reads the events of one type from the stream, as a client that replays sees them.
async fn streamed(world: &World, query: &str, count: usize) -> Vec<Value> {
    let mut response = world.request("GET", &format!("/events?after=0&{query}")).send().await.unwrap();
    let mut text = String::new();
    loop {
        let lines = text.lines().filter_map(|line| line.strip_prefix("data: "));
        let events: Vec<Value> = lines.filter_map(|line| serde_json::from_str(line).ok()).collect();
        if events.len() >= count {
            return events;
        }
        text.push_str(std::str::from_utf8(&response.chunk().await.unwrap().unwrap()).unwrap());
    }
}

#[tokio::test]
async fn what_a_worker_tells_is_on_the_stream_of_its_plain_type() {
    for world in World::on_both_stores().await {
        let (run, token) = world.claimed_run(json!({"labels": ["session:orch_1"]})).await;
        let one = json!({"type": "finding", "payload": {"text": "two tests fail", "own": {"deep": [1.5]}}});
        assert_eq!(tell(&world, run, token, one).await.json(200), json!({"kept": 1}));
        let events = json!({"events": [
            {"type": "progress", "payload": {"progress": 50}, "agent": "codex", "id": "1"},
            {"type": "milestone", "payload": {}, "id": "2"}]});
        for kept in [2, 0] {
            assert_eq!(tell(&world, run, token, events.clone()).await.json(200), json!({"kept": kept}));
        }
        let told = streamed(&world, "type=finding,progress,milestone", 3).await;
        let expected = json!({"id": told[0]["id"], "type": "finding", "timestamp": "2023-11-14T22:13:20.000Z",
            "project_id": 1, "work_item_id": 1, "run_id": run, "session_id": "orch_1",
            "payload": {"text": "two tests fail", "own": {"deep": [1.5]}}});
        assert_eq!(told[0], expected);
        assert_eq!((&told[1]["agent"], &told[1]["payload"]), (&json!("codex"), &json!({"progress": 50})));
        assert_eq!((told.len(), &told[2]["type"]), (3, &json!("milestone")));
    }
}

#[tokio::test]
async fn what_does_not_fit_is_refused_at_its_place_and_nothing_of_it_is_kept() {
    let world = World::start().await;
    let (run, token) = world.claimed_run(json!({})).await;
    let deep = (0..32).fold(json!(1), |inner, _| json!([inner]));
    let event = |more: Value| {
        let mut event = json!({"type": "status", "payload": {}});
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    };
    for (more, place) in [
        (json!({"type": "surprise"}), "type"),
        (json!({"payload": "text"}), "payload"),
        (json!({"payload": [1]}), "payload"),
        (json!({"payload": {"text": "x".repeat(PAYLOAD_BYTES_MAX)}}), "payload"),
        (json!({"payload": {"deep": deep}}), "payload"),
        (json!({"agent": " "}), "agent"),
        (json!({"agent": null}), "agent"),
        (json!({"id": ""}), "id"),
        (json!({"id": "x".repeat(65)}), "id"),
        (json!({"id": "a\nb"}), "id"),
        (json!({"id": "ä".repeat(33)}), "id"),
        (json!({"timestamp": "2026-01-01T00:00:00Z"}), "timestamp"),
    ] {
        let odd = event(more);
        assert_eq!(tell(&world, run, token, odd.clone()).await.invalid(), [place], "{odd}");
        let all = json!({"events": [event(json!({})), odd]});
        assert_eq!(tell(&world, run, token, all).await.invalid(), [format!("events[1].{place}")]);
    }
    for (odd, places) in [
        (json!({}), vec!["type", "payload"]),
        (json!({"type": "status"}), vec!["payload"]),
        (json!({"events": [event(json!({}))], "type": "status"}), vec!["type"]),
        (json!({"events": [event(json!({}))], "id": "1"}), vec!["id"]),
        (json!({"events": [event(json!({})), 7]}), vec!["events[1]"]),
        (json!({"events": {}}), vec!["events"]),
        (json!({"events": vec![event(json!({})); EVENTS_AT_ONCE + 1]}), vec!["events"]),
    ] {
        assert_eq!(tell(&world, run, token, odd.clone()).await.invalid(), places);
    }
    assert_eq!(world.post(&path(run), event(json!({}))).await.invalid(), ["X-Fencing-Token"]);
    tell(&world, 99, token, event(json!({}))).await.problem(404, "not_found");
    tell(&world, run, token + 1, event(json!({}))).await.problem(409, "stale_token");
    assert_eq!(tell(&world, run, token, json!({"events": []})).await.json(200), json!({"kept": 0}));
    world.complete(run, token).await;
    tell(&world, run, token, event(json!({}))).await.problem(409, "run_ended");
    let events = world.store.read().events(EventFilter::default(), 500).await.unwrap();
    assert!(events.iter().all(|event| !format!("{:?}", event.fact).starts_with("AgentTold")));
}

#[tokio::test]
async fn a_run_s_own_token_tells_its_events_and_nobody_else_s_does() {
    for world in World::on_both_stores_with(guarded).await {
        let token_of = async |run: i64, fence: i64| {
            let path = format!("/work-items/runs/{run}/token");
            let shown = world.post(&path, json!({"fencing_token": fence})).await.json(200);
            shown["token"].as_str().unwrap().to_owned()
        };
        let (run, fence) = world.claimed_run(json!({})).await;
        let (other, other_fence) = world.claimed_run(json!({})).await;
        let own = token_of(run, fence).await;
        let event = json!({"type": "blocker", "payload": {"text": "stuck"}});
        let post = async |token: &str, run: i64| {
            world.send(world.bare("POST", &path(run)).bearer_auth(token).json(&event)).await
        };
        assert_eq!(post(&own, run).await.json(200), json!({"kept": 1}));
        post(&own, other).await.problem(404, "not_found");
        let forged =
            world.bare("POST", &path(other)).bearer_auth(&own).header("x-fencing-token", other_fence);
        world.send(forged.json(&event)).await.problem(404, "not_found");
        for role in ["viewer", "operator", "approver"] {
            let made = world.post("/tokens", json!({"name": role, "role": role})).await.json(201);
            post(made["token"].as_str().unwrap(), run).await.problem(403, "forbidden");
        }
        let worker = world.post("/tokens", json!({"name": "w", "kind": "worker"})).await.json(201);
        post(worker["token"].as_str().unwrap(), run).await.problem(404, "not_found");
        world.complete(run, fence).await;
        post(&own, run).await.problem(401, "unauthorized");
    }
}

#[tokio::test]
async fn what_people_answered_is_masked_in_all_that_an_event_says() {
    let world = World::start().await;
    let (run, token) = world.claimed_run(json!({})).await;
    let ask = json!({"reason": "which key", "fencing_token": token, "fields": [{"name": "DEPLOYMENT_KEY", "secret": true}]});
    world.post(&format!("/work-items/runs/{run}/info-requests"), ask).await.json(201);
    let answer = json!({"values": {"DEPLOYMENT_KEY": "hunter2-hunter2"}});
    world.post("/work-items/runs/info-requests/1/respond", answer).await.json(200);
    let event = json!({"type": "finding", "agent": "hunter2-hunter2", "id": "hunter2-hunter2",
        "payload": {"text": "it is hunter2-hunter2", "all": [{"hunter2-hunter2": "x hunter2-hunter2"}]}});
    tell(&world, run, token, event).await.json(200);
    let long = json!({"type": "finding", "payload": {"text": "hunter2-hunter2 ".repeat(4_000)}});
    tell(&world, run, token, long).await.json(200);
    let told = streamed(&world, "type=finding", 2).await;
    assert_eq!(told[0]["payload"]["text"], "it is [redacted:DEPLOYMENT_KEY]");
    assert_eq!(told[1]["payload"]["cut"], true);
    let kept = world.store.read().events(EventFilter::default(), 500).await.unwrap();
    assert!(!format!("{told:?} {kept:?}").contains("hunter2"), "{told:?}");
}
