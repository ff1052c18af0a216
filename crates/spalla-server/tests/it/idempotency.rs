//! Requests that bear a key are safe to send twice.

use crate::answer::Answer;
use crate::world::World;
use serde_json::{Value, json};

async fn keyed(world: &World, key: &str, method: &str, path: &str, body: Value) -> Answer {
    world.send(world.request(method, path).header("idempotency-key", key).json(&body)).await
}

#[tokio::test]
async fn a_repeated_request_answers_the_same_and_does_nothing_twice() {
    let world = World::start().await;
    let body = json!({"name": "app"});
    let first = keyed(&world, "k1", "POST", "/projects/", body.clone()).await;
    let again = keyed(&world, "k1", "POST", "/projects", body.clone()).await;
    assert_eq!((again.header("location"), again.json(201)), (first.header("location"), first.json(201)));
    assert_eq!(world.get("/projects/?count=true").await.header("x-total-count"), "1");
    keyed(&world, "k2", "POST", "/projects/", body).await.json(201);
    assert_eq!(world.get("/projects/?count=true").await.header("x-total-count"), "2");
}

#[tokio::test]
async fn every_call_that_changes_something_takes_a_key() {
    let world = World::start().await;
    world.project().await;
    let calls = [
        ("POST", "/work-items/", json!({"project_id": 1, "title": "x"}), 201),
        ("PATCH", "/projects/1", json!({"name": "y"}), 200),
        ("PATCH", "/work-items/1", json!({"title": "y"}), 200),
        ("POST", "/work-items/1/tool-recipe", json!({"yaml": "steps: [make]"}), 201),
        ("POST", "/work-items/1/policy", json!({"max_retries": 1}), 200),
        ("POST", "/work-items/1/approvals", json!({}), 201),
        ("POST", "/work-items/approvals/1/approve", json!({}), 200),
        ("POST", "/scheduler/enqueue", json!({"work_item_id": 1}), 201),
        ("POST", "/work-items/1/start", json!({}), 201),
        ("POST", "/work-items/runs/1/claim", json!({"worker_id": "w"}), 200),
        ("POST", "/work-items/runs/1/release", json!({"fencing_token": 1}), 200),
        ("POST", "/scheduler/claim", json!({"worker_id": "w"}), 200),
        ("POST", "/work-items/runs/1/cancel", json!({}), 200),
        ("POST", "/scheduler/requeue/run/1", json!({}), 200),
        ("POST", "/scheduler/tick", json!({}), 200),
        ("POST", "/work-items/runs/2/complete?success=true", json!({}), 200),
        ("DELETE", "/work-items/1", json!({}), 204),
        ("DELETE", "/projects/1", json!({}), 204),
    ];
    for (number, (method, path, body, status)) in calls.into_iter().enumerate() {
        let key = format!("key-{number}");
        let first = keyed(&world, &key, method, path, body.clone()).await;
        let again = keyed(&world, &key, method, path, body).await;
        assert_eq!(
            (first.status, again.status),
            (status, status),
            "{method} {path}: {} {}",
            first.text,
            again.text
        );
        assert_eq!(again.text, first.text, "{method} {path}");
    }
}

#[tokio::test]
async fn a_key_with_another_request_is_refused() {
    let world = World::start().await;
    keyed(&world, "k", "POST", "/projects/", json!({"name": "a"})).await.json(201);
    let other = keyed(&world, "k", "POST", "/projects/", json!({"name": "b"})).await;
    other.problem(422, "idempotency_key_reused");
    keyed(&world, "k", "PATCH", "/projects/1", json!({"name": "a"}))
        .await
        .problem(422, "idempotency_key_reused");
}

#[tokio::test]
async fn a_key_that_is_none_is_refused() {
    let world = World::start().await;
    for key in ["", &"k".repeat(256)] {
        assert_eq!(
            keyed(&world, key, "POST", "/projects/", json!({"name": "a"})).await.invalid(),
            ["Idempotency-Key"]
        );
    }
}
