//! Runs: how one is held, ended, stopped and given back.

use crate::world::World;
use serde_json::{Value, json};

#[tokio::test]
async fn a_run_is_claimed_kept_alive_and_completed() {
    let world = World::start().await;
    let run = world.pending_run(json!({"labels": ["k8s"]})).await;
    let path = format!("/work-items/runs/{run}");
    let claimed =
        world.post(&format!("{path}/claim"), json!({"agent_id": "w1", "ttl_seconds": 60})).await.json(200);
    assert_eq!(claimed["lease"], json!({"worker_id": "w1", "expires_at": "2023-11-14T22:14:20.000Z"}));
    assert_eq!((&claimed["run_id"], &claimed["fencing_token"]), (&json!(run), &json!(1)));
    assert_eq!((&claimed["labels"], &claimed["attempt"]), (&json!(["k8s"]), &json!(1)));

    world.clock.advance(30_000);
    let beat = json!({"worker_id": "w1", "fencing_token": 1, "ttl_seconds": 60});
    assert_eq!(
        world.post(&format!("{path}/heartbeat"), beat).await.json(200),
        json!({"cancel": false, "pause": false})
    );
    let held = world.get(&path).await.json(200);
    assert_eq!((&held["status"], &held["worker_id"]), (&json!("running"), &json!("w1")));
    assert_eq!(held["lease"]["expires_at"], "2023-11-14T22:14:50.000Z");

    let body = json!({
        "fencing_token": 1, "exit_code": 0, "result": {"deep": [1, 2.50]},
        "usage": {"input_tokens": 5, "cost_usd": 0.25},
    });
    let ended = world.post(&format!("{path}/complete?success=true"), body).await.json(200);
    let expected = json!({
        "status": "succeeded", "exit_code": 0, "result": {"deep": [1, 2.50]}, "lease": null, "worker_id": "w1",
        "usage": {"input_tokens": 5, "output_tokens": null, "cost_usd": 0.25}, "error": null, "duration_ms": 30_000,
    });
    for (member, value) in expected.as_object().unwrap() {
        assert_eq!(&ended[member], value, "{member}");
    }
    assert_eq!(ended["trace_id"].as_str().unwrap().len(), 32);
    assert_eq!(world.get("/work-items/1").await.json(200)["status"], "succeeded");
}

#[tokio::test]
async fn a_held_run_is_refused_to_others_and_free_when_the_lease_is_over() {
    let world = World::start().await;
    let (run, token) = world.claimed_run(json!({})).await;
    let claim = format!("/work-items/runs/{run}/claim");
    world.post(&claim, json!({"worker_id": "w2"})).await.problem(409, "lease_held");
    world.clock.advance(300_000);
    let taken = world.post(&claim, json!({"worker_id": "w2"})).await.json(200);
    assert_eq!(taken["fencing_token"], token + 1);
    let stale = json!({"worker_id": "w1", "fencing_token": token});
    world.post(&format!("/work-items/runs/{run}/heartbeat"), stale).await.problem(409, "stale_token");
    let stale = json!({"fencing_token": token});
    world
        .post(&format!("/work-items/runs/{run}/complete?success=true"), stale)
        .await
        .problem(409, "stale_token");
    assert_eq!(world.get(&format!("/work-items/runs/{run}")).await.json(200)["status"], "running");
}

#[tokio::test]
async fn completing_twice_under_one_token_is_once() {
    let world = World::start().await;
    let (run, token) = world.claimed_run(json!({})).await;
    let first = world.complete(run, token).await;
    assert_eq!(world.complete(run, token).await, first);
    let other = world
        .post(&format!("/work-items/runs/{run}/complete?success=false"), json!({"fencing_token": token}))
        .await;
    other.problem(409, "run_ended");
}

#[tokio::test]
async fn a_person_completes_a_run_that_nobody_holds() {
    let world = World::start().await;
    let run = world.pending_run(json!({"executor": "external"})).await;
    let path = format!("/work-items/runs/{run}");
    world.post(&format!("{path}/claim"), json!({"worker_id": "w1", "ttl_seconds": 1})).await.json(200);
    world.post(&format!("{path}/complete?success=true"), json!({})).await.problem(409, "lease_held");
    world.clock.advance(1_000);
    let ended = world.send(world.request("POST", &format!("{path}/complete?success=true"))).await.json(200);
    assert_eq!(ended["status"], "succeeded");
}

#[tokio::test]
async fn whether_a_run_succeeded_is_said_in_the_query() {
    let world = World::start().await;
    let run = world.pending_run(json!({})).await;
    let path = format!("/work-items/runs/{run}/complete");
    assert_eq!(world.post(&path, json!({})).await.invalid(), ["success"]);
    assert_eq!(world.post(&format!("{path}?success=yes"), json!({})).await.invalid(), ["success"]);
    assert_eq!(
        world.post(&format!("{path}?success=true"), json!({"success": true})).await.invalid(),
        ["success"]
    );
    assert_eq!(world.post(&format!("{path}?success=true"), json!({})).await.json(200)["status"], "succeeded");
}

#[tokio::test]
async fn a_failure_tells_its_class_and_decides_whether_it_is_tried_again() {
    let world = World::start().await;
    let (run, token) = world.claimed_run(json!({})).await;
    let body = json!({"fencing_token": token, "error": "boom", "exit_code": 3});
    let failed = world.post(&format!("/work-items/runs/{run}/complete?success=false"), body).await.json(200);
    assert_eq!(failed["error"], json!({"class": "failed", "message": "boom"}));
    assert_eq!(world.get("/work-items/1").await.json(200)["status"], "queued");

    let (run, token) = world.claimed_run(json!({})).await;
    let error = json!({"class": "validation", "message": "no such tool"});
    let body = json!({"fencing_token": token, "error": error});
    let failed = world.post(&format!("/work-items/runs/{run}/complete?success=false"), body).await.json(200);
    assert_eq!(failed["error"], error);
    assert_eq!(world.get("/work-items/2").await.json(200)["status"], "failed");
}

#[tokio::test]
async fn a_cancelled_run_ends_its_item_and_tells_its_holder() {
    let world = World::start().await;
    let (run, token) = world.claimed_run(json!({})).await;
    let path = format!("/work-items/runs/{run}");
    assert_eq!(world.post(&format!("{path}/cancel"), json!({})).await.json(200)["status"], "cancelled");
    assert_eq!(world.get("/work-items/1").await.json(200)["status"], "cancelled");
    let beat = json!({"worker_id": "w1", "fencing_token": token});
    assert_eq!(
        world.post(&format!("{path}/heartbeat"), beat).await.json(200),
        json!({"cancel": true, "pause": false})
    );
}

#[tokio::test]
async fn a_run_that_a_person_paused_tells_its_holder_until_it_goes_on() {
    for world in World::on_both_stores().await {
        let run = world.pending_run(json!({})).await;
        let path = format!("/work-items/runs/{run}");
        world.post(&format!("{path}/pause"), json!({})).await.problem(409, "run_not_held");
        let claimed = world.post(&format!("{path}/claim"), json!({"worker_id": "w1"})).await.json(200);
        let beat = json!({"worker_id": "w1", "fencing_token": claimed["fencing_token"]});
        for (verb, status, pause) in
            [("pause", "paused", true), ("pause", "paused", true), ("resume", "running", false)]
        {
            let run = world.send(world.request("POST", &format!("{path}/{verb}"))).await.json(200);
            assert_eq!(run["status"], status);
            let orders = world.post(&format!("{path}/heartbeat"), beat.clone()).await.json(200);
            assert_eq!(orders, json!({"cancel": false, "pause": pause}));
        }
        let exchange = json!({"worker_id": "w1",
            "heartbeats": [{"run_id": run, "fencing_token": claimed["fencing_token"]}]});
        world.post(&format!("{path}/pause"), json!({})).await.json(200);
        let answer = world.post("/scheduler/exchange", exchange).await.json(200);
        assert_eq!(answer["heartbeats"], json!([{"run_id": run, "cancel": false, "pause": true}]));
        let give_back = json!({"agent_id": "w1", "fencing_token": claimed["fencing_token"]});
        let rests = world.post(&format!("{path}/release"), give_back).await.json(200);
        assert_eq!((&rests["status"], &rests["lease"]), (&json!("paused"), &json!(null)));
        assert_eq!(world.get("/work-items/runs?status=paused").await.json(200)[0]["id"], run);
        assert_eq!(world.get("/work-items/runs?status=pending").await.json(200), json!([]));
        world.post(&format!("{path}/cancel"), json!({})).await.json(200);
        for verb in ["pause", "resume"] {
            world.post(&format!("{path}/{verb}"), json!({})).await.problem(409, "run_ended");
            world.post(&format!("/work-items/runs/99/{verb}"), json!({})).await.problem(404, "not_found");
        }
    }
}

#[tokio::test]
async fn a_run_given_back_is_claimed_by_the_next() {
    let world = World::start().await;
    let (run, token) = world.claimed_run(json!({})).await;
    let path = format!("/work-items/runs/{run}");
    let back = world
        .post(&format!("{path}/release"), json!({"agent_id": "w1", "fencing_token": token}))
        .await
        .json(200);
    assert_eq!((&back["status"], &back["lease"]), (&json!("pending"), &Value::Null));
    let claimed = world.post("/scheduler/claim", json!({"worker_id": "w2"})).await.json(200);
    assert_eq!(
        (&claimed["runs"][0]["run_id"], &claimed["runs"][0]["fencing_token"]),
        (&json!(run), &json!(token + 1))
    );
}

#[tokio::test]
async fn runs_are_chosen_by_status_project_and_agent() {
    let world = World::start().await;
    let (run, token) = world.claimed_run(json!({"executor": "agent", "agent": "surveyor"})).await;
    world.complete(run, token).await;
    world.pending_run(json!({})).await;
    let ids = async |query: &str| {
        let runs = world.get(&format!("/work-items/runs?{query}")).await.json(200);
        runs.as_array().unwrap().iter().map(|run| run["id"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(ids("").await, [2, 1]);
    assert_eq!(ids("status=succeeded").await, [1]);
    assert_eq!(ids("status=pending").await, [2]);
    assert_eq!(ids("project_id=2").await, [2]);
    assert_eq!(ids("agent=surveyor").await, [1]);
    assert_eq!(world.get("/work-items/runs?status=odd").await.invalid(), ["status"]);
}

#[tokio::test]
async fn the_two_names_of_the_worker_are_one() {
    let world = World::start().await;
    let run = world.pending_run(json!({})).await;
    let path = format!("/work-items/runs/{run}/claim");
    assert_eq!(world.post(&path, json!({})).await.invalid(), ["worker_id"]);
    assert_eq!(world.post(&path, json!({"worker_id": "a", "agent_id": "b"})).await.invalid(), ["agent_id"]);
    assert_eq!(
        world.post(&path, json!({"worker_id": "a", "ttl_seconds": 0.01})).await.invalid(),
        ["ttl_seconds"]
    );
    assert_eq!(world.post(&path, json!({"agent_id": "a"})).await.json(200)["run_id"], run);
}

#[tokio::test]
async fn an_unknown_run_is_not_found() {
    let world = World::start().await;
    for path in ["", "/logs", "/nothing"] {
        world.get(&format!("/work-items/runs/99{path}")).await.problem(404, "not_found");
    }
    let beat = json!({"worker_id": "w", "fencing_token": 1});
    for (path, body) in [
        ("claim", json!({"worker_id": "w"})),
        ("heartbeat", beat),
        ("complete?success=true", json!({})),
        ("cancel", json!({})),
        ("release", json!({"fencing_token": 1})),
    ] {
        world.post(&format!("/work-items/runs/99/{path}"), body.clone()).await.problem(404, "not_found");
        world.post(&format!("/work-items/runs/x/{path}"), body).await.problem(404, "not_found");
    }
}

#[tokio::test]
async fn an_attempt_that_nobody_claimed_has_no_token_though_the_one_before_had() {
    let world = World::start().await;
    let (run, token) = world.claimed_run(json!({})).await;
    let failed = format!("/work-items/runs/{run}/complete?success=false");
    world.post(&failed, json!({"fencing_token": token})).await.json(200);
    world.post(&format!("/scheduler/requeue/run/{run}"), json!({})).await.json(200);
    let ticked = world.post("/scheduler/tick", json!({})).await.json(200);
    let again = format!("/work-items/runs/{}", ticked["started"][0]["run_id"]);
    assert_eq!(world.get(&again).await.json(200)["fencing_token"], Value::Null);
    let claimed = world.post(&format!("{again}/claim"), json!({"worker_id": "w2"})).await.json(200);
    assert_eq!(claimed["fencing_token"], token + 1);
    assert_eq!(world.get(&again).await.json(200)["fencing_token"], token + 1);
}
