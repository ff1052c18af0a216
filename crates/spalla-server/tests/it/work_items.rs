//! Work items.

use crate::world::World;
use serde_json::{Value, json};

#[tokio::test]
async fn a_work_item_shows_all_that_was_said_of_it() {
    let world = World::start().await;
    let project = world.project().await;
    let first = world.post("/work-items/", json!({"project_id": project, "title": "first"})).await;
    assert_eq!(first.header("location"), "/work-items/1");
    assert_eq!(
        first.json(201),
        json!({
            "id": 1, "project_id": project, "title": "first", "description": null, "prompt": null,
            "executor": "recipe", "agent": null, "category": null, "priority": 5, "critical": true,
            "on_critical_path": false,
            "timeout_seconds": null, "labels": [], "resources": null, "adapter": null, "definition": null, "limits": null, "status": "open", "reason": null,
            "depends_on": [], "policy": {"max_retries": null, "backoff": null, "backoff_base_seconds": null,
                "backoff_jitter_seconds": null, "token_budget": null, "review": null},
            "has_recipe": false,
            "created_at": "2023-11-14T22:13:20.000Z", "updated_at": "2023-11-14T22:13:20.000Z",
        })
    );
    let body = json!({
        "project_id": project, "title": "second", "description": "d", "prompt": "p", "executor": "agent",
        "agent": "surveyor", "category": "c", "priority": 9, "critical": false, "timeout_seconds": 1.5,
        "labels": ["b", "a", "b"], "recipe": "steps: [make]", "depends_on": [1],
    });
    let second = world.post("/work-items/", body).await.json(201);
    let expected = json!({
        "executor": "agent", "agent": "surveyor", "priority": 9, "critical": false, "timeout_seconds": 1.5,
        "labels": ["a", "b"], "has_recipe": true, "depends_on": [{"id": 1, "when": "success"}],
    });
    for (member, value) in expected.as_object().unwrap() {
        assert_eq!(&second[member], value, "{member}");
    }
    assert_eq!(world.get("/work-items/2").await.json(200), second);
}

#[tokio::test]
async fn a_dependency_names_the_end_it_waits_for() {
    let world = World::start().await;
    let parent = world.item(json!({})).await;
    for when in ["success", "failure", "done"] {
        let item = world.item(json!({"depends_on": [{"id": parent, "when": when}]})).await;
        let shown = world.get(&format!("/work-items/{item}")).await.json(200);
        assert_eq!(shown["depends_on"], json!([{"id": parent, "when": when}]));
    }
    let odd = json!({"project_id": 1, "title": "x", "depends_on": [1, {"id": 1, "when": "later"}]});
    assert_eq!(world.post("/work-items/", odd).await.invalid(), ["depends_on[1].when"]);
    let missing = json!({"project_id": 1, "title": "x", "depends_on": [99]});
    world.post("/work-items/", missing).await.problem(404, "not_found");
}

#[tokio::test]
async fn a_change_touches_only_what_it_names() {
    let world = World::start().await;
    let item = world.item(json!({"description": "d", "prompt": "p", "labels": ["a"]})).await;
    let path = format!("/work-items/{item}");
    let before = world.get(&path).await.json(200);
    world.clock.advance(1_000);
    let body = json!({"title": "new", "prompt": null, "priority": 9, "timeout_seconds": 60});
    let after = world.patch(&path, body).await.json(200);
    let expected = json!({"title": "new", "prompt": null, "priority": 9, "timeout_seconds": 60});
    for (member, value) in after.as_object().unwrap() {
        match expected.get(member) {
            Some(expected) => assert_eq!(value, expected, "{member}"),
            None if member == "updated_at" => assert_ne!(*value, before[member]),
            None => assert_eq!(*value, before[member], "{member}"),
        }
    }
    let removed = world.patch(&path, json!({"timeout_seconds": null})).await.json(200);
    assert_eq!(removed["timeout_seconds"], Value::Null);
}

#[tokio::test]
async fn a_work_item_is_put_away_unless_a_run_of_it_is_live() {
    let world = World::start().await;
    let run = world.pending_run(json!({})).await;
    world.delete("/work-items/1").await.problem(409, "run_active");
    world.post(&format!("/work-items/runs/{run}/cancel"), json!({})).await.json(200);
    assert_eq!(world.delete("/work-items/1").await.status, 204);
    assert_eq!(world.get("/work-items/1").await.json(200)["status"], "archived");
    world.patch("/work-items/1", json!({"title": "x"})).await.problem(409, "work_item_archived");
}

#[tokio::test]
async fn what_does_not_fit_is_refused_by_its_name() {
    let world = World::start().await;
    world.project().await;
    let cases = [
        ("title", json!("")),
        ("title", json!("x".repeat(501))),
        ("title", json!(null)),
        ("project_id", json!("1")),
        ("project_id", json!(0)),
        ("project_id", json!(1.5)),
        ("project_id", json!(9_007_199_254_740_992_i64)),
        ("priority", json!(10)),
        ("priority", json!(-1)),
        ("priority", json!("high")),
        ("timeout_seconds", json!(0)),
        ("timeout_seconds", json!(-1)),
        ("timeout_seconds", json!(2_592_001)),
        ("executor", json!("docker")),
        ("critical", json!("yes")),
        ("labels[1]", json!(["ok", ""])),
        ("labels[0]", json!(["a\nb"])),
        ("agent", json!("x".repeat(101))),
        ("depends_on[0]", json!(["1"])),
        ("colour", json!("red")),
    ];
    for (path, value) in cases {
        let mut body = json!({"project_id": 1, "title": "x"});
        body[path.split('[').next().unwrap()] = value;
        assert_eq!(world.post("/work-items/", body).await.invalid(), [path]);
    }
    let executor =
        world.post("/work-items/", json!({"project_id": 1, "title": "x", "executor": "docker"})).await;
    assert_eq!(
        executor.problem(422, "invalid")["errors"][0]["allowed"],
        json!(["recipe", "agent", "external"])
    );
    world
        .post("/work-items/", json!({"project_id": 1, "title": "x", "executor": "agent"}))
        .await
        .problem(422, "invalid");
}

#[tokio::test]
async fn how_its_agent_is_called_is_kept_handed_to_the_worker_and_taken_away() {
    for world in World::on_both_stores().await {
        let adapter =
            json!({"model": "large", "approval": "guarded", "args": ["--deep"], "web_search": true});
        let item = world.queued(json!({"adapter": adapter})).await;
        world.post(&format!("/work-items/{item}/policy"), json!({"token_budget": 900})).await.json(200);
        let run =
            world.post("/scheduler/claim", json!({"worker_id": "w"})).await.json(200)["runs"][0].clone();
        let whole = json!({"model": "large", "profile": null, "web_search": true, "approval": "guarded",
            "args": ["--deep"], "command": [], "fallback": [], "policy": null});
        assert_eq!((&run["adapter"], &run["token_budget"]), (&whole, &json!(900)));
        let path = format!("/work-items/{item}");
        assert_eq!(world.get(&path).await.json(200)["adapter"], whole);
        let changed = world.patch(&path, json!({"adapter": {"profile": "night"}})).await.json(200);
        assert_eq!(
            (&changed["adapter"]["profile"], &changed["adapter"]["model"]),
            (&json!("night"), &json!(null))
        );
        assert_eq!(world.patch(&path, json!({"adapter": null})).await.json(200)["adapter"], json!(null));
        for bad in [json!({"modle": "x"}), json!("large"), json!({"approval": "ask"}), json!({"args": "x"})] {
            let problem = world.patch(&path, json!({"adapter": bad})).await.invalid();
            assert!(problem[0].starts_with("adapter"), "{problem:?}");
        }
    }
}

#[tokio::test]
async fn the_policy_of_an_item_is_given_in_seconds_and_laid_over_what_was_there() {
    let world = World::start().await;
    let path = format!("/work-items/{}/policy", world.item(json!({})).await);
    world
        .post(&path, json!({"max_retries": 1, "backoff": "fixed", "backoff_base_seconds": 0.5}))
        .await
        .json(200);
    world.post(&path, json!({"token_budget": 2500})).await.json(200);
    let item = world.post(&path, json!({"backoff_jitter_seconds": 0, "review": false})).await.json(200);
    let expected = json!({"max_retries": 1, "backoff": "fixed", "backoff_base_seconds": 0.5, "backoff_jitter_seconds": 0,
        "token_budget": 2500, "review": false});
    assert_eq!(item["policy"], expected);
    for bad in [json!({"token_budget": 0}), json!({"review": "twice"})] {
        let member = bad.as_object().unwrap().keys().next().unwrap().clone();
        assert_eq!(world.post(&path, bad).await.invalid(), [member]);
    }
    assert_eq!(world.post(&path, json!({"backoff": "linear"})).await.invalid(), ["backoff"]);
    assert_eq!(world.post(&path, json!({"max_retries": -1})).await.invalid(), ["max_retries"]);
    assert_eq!(
        world.post(&path, json!({"backoff_base_seconds": -1})).await.invalid(),
        ["backoff_base_seconds"]
    );
}

#[tokio::test]
async fn a_start_gives_a_run_or_says_why_not() {
    let world = World::start().await;
    let parent = world.item(json!({})).await;
    let item = world.item(json!({"depends_on": [parent]})).await;
    world.post(&format!("/work-items/{item}/start"), json!({})).await.problem(409, "dependencies_unmet");
    let run = world.post(&format!("/work-items/{parent}/start"), json!({})).await;
    assert_eq!(run.header("location"), "/work-items/runs/1");
    let run = run.json(201);
    assert_eq!(
        (&run["status"], &run["attempt"], &run["lease"]),
        (&json!("pending"), &json!(1), &json!(null))
    );
    world.post(&format!("/work-items/{parent}/start"), json!({})).await.problem(409, "run_active");
}

#[tokio::test]
async fn the_runs_of_an_item_are_listed_newest_first() {
    let world = World::start().await;
    let (run, token) = world.claimed_run(json!({})).await;
    world.complete(run, token).await;
    world.post("/scheduler/requeue/work-item", json!({"work_item_id": 1})).await.json(200);
    let again = world.post("/work-items/1/start", json!({})).await.json(201)["id"].clone();
    let runs = world.get("/work-items/1/runs").await.json(200);
    let seen: Vec<_> =
        runs.as_array().unwrap().iter().map(|r| (r["id"].clone(), r["attempt"].clone())).collect();
    assert_eq!(seen, [(again, json!(2)), (json!(run), json!(1))]);
    world.get("/work-items/99/runs").await.problem(404, "not_found");
}
