//! Many wishes in one request, and a queue that is full.

use crate::world::{Setup, World};
use serde_json::{Value, json};

#[tokio::test]
async fn many_items_are_made_and_enqueued_in_two_calls() {
    for world in World::on_both_stores().await {
        let project = world.project().await;
        let bodies: Vec<Value> = (0..1_000)
            .map(|n| json!({"project_id": project, "title": format!("item {n}"), "recipe": "steps: [make]"}))
            .collect();
        let ids = world.post("/work-items/bulk", json!(bodies)).await.json(201);
        assert_eq!(ids, json!((1..=1_000).collect::<Vec<i64>>()));
        assert_eq!(world.get("/work-items/1000").await.json(200)["title"], "item 999");
        let wishes: Vec<Value> =
            ids.as_array().unwrap().iter().map(|id| json!({"work_item_id": id, "priority": 7})).collect();
        let entries = world.post("/scheduler/enqueue/bulk", json!(wishes)).await.json(201);
        assert_eq!(entries.as_array().unwrap().len(), 1_000);
        let queue = world.get("/scheduler/queue?limit=1&count=true").await;
        assert_eq!((queue.header("x-total-count"), &queue.json(200)[0]["priority"]), ("1000", &json!(7)));
        for path in ["/work-items/bulk", "/scheduler/enqueue/bulk"] {
            assert_eq!(world.post(path, json!([])).await.json(201), json!([]));
        }
    }
}

#[tokio::test]
async fn one_refusal_refuses_all_and_names_its_entry() {
    for world in World::on_both_stores().await {
        let item = world.item(json!({})).await;
        let good = json!({"project_id": 1, "title": "good"});
        let cases = [
            (json!({"project_id": 1}), 422, "[1].title"),
            (json!({"project_id": 1, "title": "x", "odd": 1}), 422, "[1].odd"),
            (json!({"project_id": 1, "title": "x", "executor": "agent"}), 422, "[1]"),
            (json!({"project_id": 1, "title": "x", "recipe": "steps: 7"}), 422, "[1].recipe"),
            (json!({"project_id": 9, "title": "x"}), 404, "[1]"),
            (json!({"project_id": 1, "title": "x", "depends_on": [99]}), 404, "[1]"),
            (json!([]), 422, "[1]"),
        ];
        for (bad, status, place) in cases {
            let refused = world.post("/work-items/bulk", json!([good, bad, good])).await;
            assert_eq!(refused.status, status, "{}", refused.text);
            let problem: Value = serde_json::from_str(&refused.text).unwrap();
            assert_eq!(problem["errors"][0]["path"], place, "{problem}");
        }
        let wish = json!({"work_item_id": item});
        let refused = world.post("/scheduler/enqueue/bulk", json!([wish, {"work_item_id": 99}])).await;
        assert_eq!(refused.problem(404, "not_found")["errors"][0]["path"], "[1]");
        assert_eq!(
            world.post("/scheduler/enqueue/bulk", json!([wish, {"work_item_id": "1"}])).await.invalid(),
            ["[1].work_item_id"]
        );
        assert_eq!(world.get("/work-items/?count=true").await.header("x-total-count"), "1");
        assert_eq!(world.get("/scheduler/queue").await.json(200), json!([]));
    }
}

#[tokio::test]
async fn what_is_no_list_or_too_long_a_list_is_refused() {
    let world = World::start().await;
    for path in ["/work-items/bulk", "/scheduler/enqueue/bulk"] {
        world.post(path, json!({})).await.problem(422, "invalid");
        world.send(world.request("POST", path)).await.problem(422, "invalid");
        world.post(path, json!([1])).await.problem(422, "invalid");
    }
    let wishes = vec![json!({"work_item_id": 1}); 10_001];
    let refused = world.post("/scheduler/enqueue/bulk", json!(wishes)).await.problem(422, "invalid");
    assert!(refused["detail"].as_str().unwrap().contains("at most 10000"), "{refused}");
}

#[tokio::test]
async fn the_same_key_makes_many_items_once() {
    let world = World::start().await;
    let bodies = json!(vec![json!({"project_id": world.project().await, "title": "x"}); 3]);
    let send =
        || world.send(world.request("POST", "/work-items/bulk").header("idempotency-key", "k").json(&bodies));
    assert_eq!(send().await.json(201), send().await.json(201));
    assert_eq!(world.get("/work-items/?count=true").await.header("x-total-count"), "3");
}

#[tokio::test]
async fn a_full_queue_takes_nothing_more_until_something_starts() {
    for world in World::on_both_stores_with(|| Setup { queue_limit: 3, ..Setup::default() }).await {
        let items = [(); 4].map(|()| world.item(json!({})));
        let items = futures_util::future::join_all(items).await;
        let wishes: Vec<Value> = items.iter().map(|id| json!({"work_item_id": id})).collect();
        let full = world.post("/scheduler/enqueue/bulk", json!(wishes)).await;
        full.problem(429, "queue_full");
        assert_eq!(full.header("retry-after"), "1");
        world.post("/scheduler/enqueue/bulk", json!(wishes[..2])).await.json(201);
        world.post("/scheduler/enqueue", wishes[2].clone()).await.json(201);
        world.post("/scheduler/enqueue", wishes[3].clone()).await.problem(429, "queue_full");
        world.post("/scheduler/claim", json!({"worker_id": "w"})).await.json(200);
        world.clock.advance(1_000);
        world.post("/scheduler/enqueue", wishes[3].clone()).await.json(201);
        world.post("/scheduler/enqueue", wishes[0].clone()).await.problem(429, "queue_full");
    }
}
