//! The scheduler: queue, tick, exchange, requeue, dead letters.

use crate::world::World;
use serde_json::{Value, json};

/// Returns one member of every entry.
fn all(list: &Value, member: &str) -> Vec<Value> {
    list.as_array().unwrap().iter().map(|entry| entry[member].clone()).collect()
}

#[tokio::test]
async fn wishes_for_one_item_join_and_it_waits_for_all_of_them() {
    let world = World::start().await;
    let (first, second) = (world.item(json!({})).await, world.item(json!({})).await);
    let item = world.item(json!({})).await;
    let body = json!({"work_item_id": item, "depends_on_work_item_id": first});
    let entry = world.post("/scheduler/enqueue", body).await;
    assert_eq!(entry.header("location"), format!("/work-items/{item}"));
    let entry = entry.json(201);
    assert_eq!(
        entry,
        json!({"id": entry["id"], "work_item_id": item, "project_id": 3, "status": "queued",
               "reason": "dependencies_unmet"})
    );
    let body = json!({"work_item_id": item, "depends_on_work_item_id": second, "priority": 9});
    assert_eq!(world.post("/scheduler/enqueue", body).await.json(201)["id"], entry["id"]);
    let shown = world.get(&format!("/work-items/{item}")).await.json(200);
    assert_eq!(all(&shown["depends_on"], "id"), [first, second]);
}

#[tokio::test]
async fn a_circle_of_dependencies_is_refused_by_name() {
    let world = World::start().await;
    let first = world.item(json!({})).await;
    let second = world.item(json!({"depends_on": [first]})).await;
    let body = json!({"work_item_id": first, "depends_on_work_item_id": second});
    let problem = world.post("/scheduler/enqueue", body).await.problem(422, "dependency_cycle");
    assert!(problem["detail"].as_str().unwrap().ends_with("1 -> 2 -> 1"), "{problem}");
}

#[tokio::test]
async fn the_queue_shows_rank_and_reason_of_each_entry() {
    let world = World::start().await;
    let low = world.queued(json!({"priority": 1})).await;
    let high = world.queued(json!({"priority": 9})).await;
    let child = world.queued(json!({"depends_on": [low]})).await;
    let later = world.item(json!({})).await;
    world.post("/scheduler/enqueue", json!({"work_item_id": later, "delay_seconds": 60})).await.json(201);
    let held = world.queued(json!({})).await;
    world.post(&format!("/work-items/{held}/approvals"), json!({})).await.json(201);

    let queue = world.get("/scheduler/queue?count=true").await;
    assert_eq!(queue.header("x-total-count"), "5");
    let queue = queue.json(200);
    assert_eq!(queue[0]["work_item_id"], high);
    assert_eq!(
        (&queue[0]["rank"], &queue[0]["reason"], &queue[0]["status"]),
        (&json!(915.0), &json!(null), &json!("queued"))
    );
    let reasons: Vec<(Value, Value)> =
        all(&queue, "work_item_id").into_iter().zip(all(&queue, "reason")).collect();
    for (item, reason) in [(child, "dependencies_unmet"), (later, "delayed"), (held, "approval_pending")] {
        assert!(reasons.contains(&(json!(item), json!(reason))), "{reasons:?}");
    }
    for (query, item) in [("reason=delayed", later), ("reason=approval_pending", held), ("project_id=1", low)]
    {
        let found = world.get(&format!("/scheduler/queue?{query}")).await.json(200);
        assert_eq!(all(&found, "work_item_id"), [item], "{query}");
    }
    let free = world.get("/scheduler/queue?reason=none").await.json(200);
    assert_eq!(all(&free, "work_item_id"), [high, low]);
    let pages = world.get("/scheduler/queue?limit=2").await;
    assert!(
        pages.header("link").contains("</scheduler/queue?limit=2&offset=2>; rel=\"next\""),
        "{}",
        pages.header("link")
    );
    assert_eq!(world.get("/scheduler/queue?reason=odd").await.invalid(), ["reason"]);
    assert_eq!(world.get("/scheduler/queue?cursor=1").await.invalid(), ["cursor"]);
}

#[tokio::test]
async fn a_failed_attempt_lowers_a_priority_and_a_person_sets_it_anew() {
    let world = World::start().await;
    let (run, token) = world.claimed_run(json!({"priority": 7})).await;
    let end = json!({"fencing_token": token});
    world.post(&format!("/work-items/runs/{run}/complete?success=false"), end).await.json(200);
    let entry = world.get("/scheduler/queue").await.json(200)[0].clone();
    assert_eq!((&entry["priority"], &entry["set_priority"]), (&json!(6), &json!(7)));
    let item = format!("/work-items/{}", entry["work_item_id"]);
    assert_eq!(world.get(&item).await.json(200)["priority"], 7);
    assert_eq!(world.patch(&item, json!({"priority": 7})).await.json(200)["priority"], 7);
    let entry = world.get("/scheduler/queue").await.json(200)[0].clone();
    assert_eq!((&entry["priority"], &entry["set_priority"]), (&json!(7), &json!(7)));
}

#[tokio::test]
async fn a_tick_starts_every_eligible_entry_and_names_the_others() {
    let world = World::start().await;
    let (first, second) = (world.queued(json!({})).await, world.queued(json!({})).await);
    let child = world.queued(json!({"depends_on": [first]})).await;
    let tick = world.send(world.request("POST", "/scheduler/tick")).await.json(200);
    let mut started = all(&tick["started"], "work_item_id");
    started.sort_by_key(Value::as_i64);
    assert_eq!(started, [first, second]);
    assert_eq!(tick["blocked"], json!([{"work_item_id": child, "reason": "dependencies_unmet"}]));
    assert_eq!(world.post("/scheduler/tick", json!({})).await.json(200)["started"], json!([]));
    let runs = world.get("/work-items/runs?status=pending").await.json(200);
    assert_eq!(runs.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn an_exchange_completes_extends_and_claims_at_once() {
    let world = World::start().await;
    for _ in 0..4 {
        world.queued(json!({})).await;
    }
    let claimed = world.post("/scheduler/claim", json!({"worker_id": "w", "max": 3})).await.json(200);
    let runs = all(&claimed["runs"], "run_id");
    let tokens = all(&claimed["runs"], "fencing_token");
    assert_eq!(runs.len(), 3);
    let body = json!({
        "worker_id": "w", "max": 5, "ttl_seconds": 60,
        "completed": [
            {"run_id": runs[0], "fencing_token": tokens[0], "success": true, "exit_code": 0, "result": {"ok": true}},
            {"run_id": runs[1], "fencing_token": 99, "success": true},
        ],
        "heartbeats": [{"run_id": runs[2], "fencing_token": tokens[2]}],
    });
    let answer = world.post("/scheduler/exchange", body).await.json(200);
    assert_eq!(answer["completed"], json!([runs[0]]));
    assert_eq!(answer["refused"], json!([{"run_id": runs[1], "reason": "stale_token"}]));
    assert_eq!(answer["heartbeats"], json!([{"run_id": runs[2], "cancel": false, "pause": false}]));
    assert_eq!(answer["runs"].as_array().unwrap().len(), 1);
    assert_eq!(answer["runs"][0]["expires_at"], "2023-11-14T22:14:20.000Z");
    let run = world.get(&format!("/work-items/runs/{}", runs[0])).await.json(200);
    assert_eq!((&run["status"], &run["result"]), (&json!("succeeded"), &json!({"ok": true})));
}

#[tokio::test]
async fn what_does_not_fit_in_an_exchange_is_refused_by_its_path() {
    let world = World::start().await;
    let completion = |extra: Value| {
        let mut body = json!({"run_id": 1, "fencing_token": 1, "success": true});
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        json!({"worker_id": "w", "completed": [body]})
    };
    let cases = [
        (json!({"worker_id": "w", "completed": [{"run_id": 1, "fencing_token": 1}]}), "completed[0].success"),
        (completion(json!({"error": {"class": "odd", "message": "x"}})), "completed[0].error.class"),
        (completion(json!({"usage": {"input_tokens": -1}})), "completed[0].usage.input_tokens"),
        (completion(json!({"usage": {"cost_usd": -0.5}})), "completed[0].usage.cost_usd"),
        (completion(json!({"exit_code": 3_000_000_000_i64})), "completed[0].exit_code"),
        (json!({"worker_id": "w", "max": 501}), "max"),
        (json!({"worker_id": "w", "wait_seconds": 61}), "wait_seconds"),
        (json!({"worker_id": "w", "executors": ["odd"]}), "executors[0]"),
        (json!({"worker_id": "w", "labels": [""]}), "labels[0]"),
        (json!({"worker_id": ""}), "worker_id"),
        (
            json!({"worker_id": "w", "heartbeats": vec![json!({"run_id": 1, "fencing_token": 1}); 4_097]}),
            "heartbeats",
        ),
    ];
    for (body, path) in cases {
        assert_eq!(world.post("/scheduler/exchange", body).await.invalid(), [path]);
    }
}

#[tokio::test]
async fn a_dead_letter_keeps_its_history_until_it_is_requeued() {
    let world = World::start().await;
    let item = world.item(json!({})).await;
    world.post(&format!("/work-items/{item}/policy"), json!({"max_retries": 0})).await.json(200);
    world.enqueue(item).await;
    let child = world.queued(json!({"depends_on": [item]})).await;
    let run = world.post(&format!("/work-items/{item}/start"), json!({})).await.json(201)["id"].clone();
    let failed = json!({"error": "boom"});
    world.post(&format!("/work-items/runs/{run}/complete?success=false"), failed).await.json(200);

    let letters = world.get("/scheduler/dead-letters?count=true").await;
    assert_eq!(letters.header("x-total-count"), "1");
    let letters = letters.json(200);
    assert_eq!((&letters[0]["id"], &letters[0]["status"]), (&json!(item), &json!("failed")));
    assert_eq!(
        (&letters[0]["runs"][0]["id"], &letters[0]["runs"][0]["error"]["message"]),
        (&run, &json!("boom"))
    );
    assert_eq!(world.get("/scheduler/dead-letters?project_id=2").await.json(200), json!([]));
    let blocked = world.get(&format!("/work-items/{child}")).await.json(200);
    assert_eq!((&blocked["status"], &blocked["reason"]), (&json!("blocked"), &json!("dependency_failed")));
    assert_eq!(world.get("/scheduler/queue").await.json(200)[0]["status"], "blocked");

    let entry = world.post("/scheduler/requeue/work-item", json!({"work_item_id": item})).await.json(200);
    assert_eq!((&entry["status"], &entry["reason"]), (&json!("queued"), &json!(null)));
    assert_eq!(world.get("/scheduler/dead-letters").await.json(200), json!([]));
    assert_eq!(world.get(&format!("/work-items/{child}")).await.json(200)["status"], "queued");
}

#[tokio::test]
async fn a_requeue_waits_as_long_as_it_is_told() {
    let world = World::start().await;
    let (run, token) = world.claimed_run(json!({})).await;
    world.complete(run, token).await;
    let path = format!("/scheduler/requeue/run/{run}");
    assert_eq!(
        world.post(&path, json!({"delay_seconds": 5, "backoff": true})).await.invalid(),
        ["delay_seconds"]
    );
    let entry = world.post(&path, json!({"delay_seconds": 60, "priority": 9})).await.json(200);
    assert_eq!((&entry["work_item_id"], &entry["reason"]), (&json!(1), &json!("delayed")));
    assert_eq!(world.get("/scheduler/queue").await.json(200)[0]["due_at"], "2023-11-14T22:14:20.000Z");
    let entry = world
        .post("/scheduler/requeue/work-item", json!({"work_item_id": 1, "backoff": true}))
        .await
        .json(200);
    assert_eq!(entry["reason"], "delayed");
    let entry = world.send(world.request("POST", &path)).await.json(200);
    assert_eq!(entry["reason"], Value::Null);
    world.post("/scheduler/requeue/run/99", json!({})).await.problem(404, "not_found");
    world.post("/scheduler/requeue/work-item", json!({"work_item_id": 99})).await.problem(404, "not_found");
}
