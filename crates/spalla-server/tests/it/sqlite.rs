//! One journey over a SQLite file: what the routes need of a store, on the store that most people have.

use crate::world::{Setup, World};
use serde_json::{Value, json};
use spalla_store::Location;

#[tokio::test]
async fn a_work_item_goes_its_whole_way_over_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let location = Some(Location::Sqlite(folder.path().join("spalla.db")));
    let world = World::with(Setup { location, ..Setup::default() }).await;
    let item =
        world.item(json!({"labels": ["prod"], "recipe": "steps: [make]", "timeout_seconds": 60})).await;
    let child = world.queued(json!({"depends_on": [{"id": item, "when": "done"}]})).await;
    world.post(&format!("/work-items/{item}/approvals"), json!({"kind": "deploy"})).await.json(201);
    world.enqueue(item).await;
    let tick = world.post("/scheduler/tick", json!({})).await.json(200);
    assert_eq!(
        (tick["started"].as_array().unwrap().len(), tick["blocked"].as_array().unwrap().len()),
        (0, 2)
    );
    world.post("/work-items/approvals/1/approve", json!({"by": "ada"})).await.json(200);

    let claimed =
        world.post("/scheduler/claim", json!({"worker_id": "w", "labels": ["prod"]})).await.json(200);
    let (run, token) = (&claimed["runs"][0]["run_id"], claimed["runs"][0]["fencing_token"].as_i64().unwrap());
    let logs = format!("/work-items/runs/{run}/logs");
    let request =
        world.request("POST", &logs).header("x-fencing-token", token).header("content-type", "text/plain");
    world.send(request.body("one\ntwo\n")).await.json(200);
    assert_eq!(world.get(&format!("{logs}?q=TWO")).await.text, "two\n");
    let body = json!({"fencing_token": token, "result": {"n": 1}, "usage": {"output_tokens": 3}});
    let ended = world.post(&format!("/work-items/runs/{run}/complete?success=true"), body).await.json(200);
    assert_eq!((&ended["status"], &ended["result"]), (&json!("succeeded"), &json!({"n": 1})));

    let queue = world.get("/scheduler/queue?reason=none").await.json(200);
    assert_eq!(queue[0]["work_item_id"], child);
    let health: Value = world.get("/health").await.json(200);
    assert_eq!(health["details"]["queue"]["ready"], 1);
    assert_eq!(world.get("/observability/traces").await.json(200)[0]["run_id"], *run);
    let found = world.get("/work-items/?label=prod&q=BUILD&count=true").await;
    assert_eq!((found.header("x-total-count"), found.json(200)[0]["id"].as_i64()), ("1", Some(item)));
}
