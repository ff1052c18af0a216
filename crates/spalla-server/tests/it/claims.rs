//! Claims of many runs, and claims that wait.

use crate::world::World;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

#[tokio::test]
async fn a_claim_takes_up_to_max_and_says_what_is_to_be_executed() {
    let world = World::start().await;
    let repository = world.post("/projects/", json!({"name": "a", "repository": "/srv/app"})).await.json(201);
    for title in ["one", "two"] {
        let body =
            json!({"project_id": repository["id"], "title": title, "prompt": "p", "recipe": "steps: [make]"});
        let id = world.post("/work-items/", body).await.json(201)["id"].as_i64().unwrap();
        world.enqueue(id).await;
    }
    let claimed = world.post("/scheduler/claim", json!({"worker_id": "w"})).await.json(200);
    assert_eq!(
        claimed["runs"],
        json!([{
            "run_id": 1, "work_item_id": 1, "project_id": 1, "fencing_token": 1, "attempt": 1,
            "expires_at": "2023-11-14T22:18:20.000Z", "trace_id": claimed["runs"][0]["trace_id"], "next_log_seq": 1,
            "executor": "recipe", "agent": null, "title": "one", "description": null, "prompt": "p", "labels": [],
            "recipe": "steps: [make]", "adapter": null, "definition": null, "token_budget": null,
            "timeout_ms": 3_600_000, "limits": [], "repository": "/srv/app",
        }])
    );
    let rest = world.post("/scheduler/claim", json!({"agent_id": "w", "max": 500})).await.json(200);
    assert_eq!(rest["runs"].as_array().unwrap().len(), 1);
    assert_eq!(
        world.post("/scheduler/claim", json!({"worker_id": "w"})).await.json(200),
        json!({"runs": []})
    );
}

#[tokio::test]
async fn a_claim_takes_only_what_the_worker_can_carry_out() {
    let world = World::start().await;
    world.queued(json!({"executor": "external", "labels": ["gpu"]})).await;
    let claim =
        async |body| world.post("/scheduler/claim", body).await.json(200)["runs"].as_array().unwrap().len();
    assert_eq!(claim(json!({"worker_id": "w", "executors": ["recipe", "agent"]})).await, 0);
    assert_eq!(claim(json!({"worker_id": "w", "labels": ["cpu"]})).await, 0);
    assert_eq!(
        claim(json!({"worker_id": "w", "executors": ["external"], "labels": ["cpu", "gpu"]})).await,
        1
    );
}

#[tokio::test]
async fn a_claim_that_waits_is_answered_when_something_becomes_eligible() {
    let world = World::start().await;
    let item = world.item(json!({})).await;
    let claim = world.post("/scheduler/claim", json!({"worker_id": "w", "wait_seconds": 30}));
    let enqueue = async {
        let patient = json!({"worker_id": "other", "wait_seconds": 0.001});
        assert_eq!(world.post("/scheduler/claim", patient).await.json(200), json!({"runs": []}));
        world.enqueue(item).await;
    };
    let (claimed, ()) = tokio::join!(claim, enqueue);
    assert_eq!(claimed.json(200)["runs"][0]["work_item_id"], item);
}

#[tokio::test]
async fn an_exchange_that_waits_brings_the_next_run_as_well() {
    let world = World::start().await;
    let (run, token) = world.claimed_run(json!({})).await;
    let child = world.queued(json!({"depends_on": [1]})).await;
    let completed = json!([{"run_id": run, "fencing_token": token, "success": true}]);
    let body = json!({"worker_id": "w", "completed": completed, "max": 1, "wait_seconds": 30});
    let answer = world.post("/scheduler/exchange", body).await.json(200);
    assert_eq!((&answer["completed"], &answer["runs"][0]["work_item_id"]), (&json!([run]), &json!(child)));
}

#[tokio::test]
async fn a_client_that_went_away_while_waiting_takes_nothing() {
    let world = World::start().await;
    let item = world.item(json!({})).await;
    let body = json!({"worker_id": "gone", "wait_seconds": 30}).to_string();
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    let head = format!(
        "POST /scheduler/claim HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        world.address,
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    // The connection is counted while the server has it: its end is when the server has noticed.
    world.until_connections(2).await;
    drop(stream);
    world.until_connections(1).await;
    world.enqueue(item).await;
    // What it was given in the moment in which it went is handed back at once.
    let body = json!({"worker_id": "w", "wait_seconds": 30});
    let claimed = world.post("/scheduler/claim", body).await.json(200);
    assert_eq!(claimed["runs"][0]["work_item_id"], item);
}
