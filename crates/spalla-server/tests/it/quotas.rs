//! Quotas: what a project may use, what it used, and what waits because of it.

use crate::world::World;
use serde_json::{Value, json};

fn column(list: &Value, member: &str) -> Vec<Value> {
    list.as_array().unwrap().iter().map(|entry| entry[member].clone()).collect()
}

#[tokio::test]
async fn a_quota_is_set_as_a_whole_and_shown_with_what_was_used() {
    for world in World::on_both_stores().await {
        let path = format!("/projects/{}/quota", world.project().await);
        let used = json!({"day": "2023-11-14", "runs": 0, "tokens": 0, "cost_usd": 0, "active_runs": 0});
        let none = json!({
            "project_id": 1, "daily_runs": null, "daily_tokens": null, "daily_cost_usd": null,
            "max_concurrent_runs": null, "updated_at": null, "used": used, "held_by": null, "held_until": null,
        });
        assert_eq!(world.get(&path).await.json(200), none);
        let caps =
            json!({"daily_runs": 3, "daily_tokens": 1000, "daily_cost_usd": 0.25, "max_concurrent_runs": 2});
        let set = world.post(&path, caps.clone()).await.json(200);
        for (member, value) in caps.as_object().unwrap() {
            assert_eq!(&set[member], value, "{member}");
        }
        assert_eq!(set["updated_at"], "2023-11-14T22:13:20.000Z");
        assert_eq!(world.get(&path).await.json(200), set);
        let fewer = world.post(&path, json!({"daily_runs": 0})).await.json(200);
        assert_eq!((&fewer["daily_runs"], &fewer["daily_tokens"]), (&json!(0), &Value::Null));
        assert_eq!(
            (&fewer["held_by"], &fewer["held_until"]),
            (&json!("daily_runs"), &json!("2023-11-15T00:00:00.000Z"))
        );
    }
}

#[tokio::test]
async fn what_runs_use_is_counted_for_their_project() {
    for world in World::on_both_stores().await {
        let (run, token) = world.claimed_run(json!({})).await;
        world.post("/projects/1/quota", json!({"daily_tokens": 100})).await.json(200);
        let usage = json!({"input_tokens": 70, "output_tokens": 30, "cost_usd": 0.125});
        let end = json!({"fencing_token": token, "usage": usage});
        world.post(&format!("/work-items/runs/{run}/complete?success=true"), end).await.json(200);
        world.project().await;
        let listed = world.get("/observability/usage?count=true").await;
        assert_eq!(listed.header("x-total-count"), "2");
        let listed = listed.json(200);
        assert_eq!(column(&listed, "project_id"), [2, 1]);
        let used =
            json!({"day": "2023-11-14", "runs": 1, "tokens": 100, "cost_usd": 0.125, "active_runs": 0});
        assert_eq!((&listed[1]["used"], &listed[1]["held_by"]), (&used, &json!("daily_tokens")));
        assert_eq!(world.get("/projects/1/quota").await.json(200), listed[1]);
        world.clock.advance(2 * 3_600_000);
        let next_day = world.get("/projects/1/quota").await.json(200);
        assert_eq!(
            (&next_day["used"]["day"], &next_day["used"]["tokens"]),
            (&json!("2023-11-15"), &json!(0))
        );
        assert_eq!(next_day["held_by"], Value::Null);
    }
}

#[tokio::test]
async fn the_queue_says_what_a_quota_holds() {
    for world in World::on_both_stores().await {
        let held = [world.queued(json!({})).await, world.queued(json!({})).await];
        let free = world.queued(json!({})).await;
        let waiting = world.queued(json!({"project_id": 1, "depends_on": [free]})).await;
        for project in [1, 2] {
            world
                .post(&format!("/projects/{project}/quota"), json!({"max_concurrent_runs": 0}))
                .await
                .json(200);
        }
        let list = async |query: &str| {
            let list = world.get(&format!("/scheduler/queue?{query}")).await.json(200);
            (column(&list, "work_item_id"), column(&list, "reason"))
        };
        let (ids, reasons) = list("").await;
        assert_eq!(ids, [held[0], held[1], free, waiting]);
        assert_eq!(json!(reasons), json!(["quota", "quota", null, "dependencies_unmet"]));
        assert_eq!(list("reason=quota").await.0, held);
        assert_eq!(list("reason=quota&offset=1").await.0, held[1..]);
        assert_eq!(list("reason=quota&project_id=2").await.0, held[1..]);
        assert_eq!(list("reason=quota&project_id=3").await.0, [] as [i64; 0]);
        assert_eq!(list("reason=none").await.0, [free]);
        assert_eq!(list("reason=none&project_id=1").await.0, [] as [i64; 0]);
        assert_eq!(list("reason=none&project_id=3").await.0, [free]);
        for (query, count) in
            [("reason=quota", "2"), ("reason=none", "1"), ("", "4"), ("reason=quota&project_id=1", "1")]
        {
            let counted = world.get(&format!("/scheduler/queue?count=true&{query}")).await;
            assert_eq!(counted.header("x-total-count"), count, "{query}");
        }
        world.post(&format!("/work-items/{}/start", held[0]), json!({})).await.problem(409, "quota");
        let claimed = world.post("/scheduler/claim", json!({"worker_id": "w", "max": 9})).await.json(200);
        assert_eq!(column(&claimed["runs"], "work_item_id"), [free]);
        world.post("/projects/1/quota", json!({})).await.json(200);
        let claimed = world.post("/scheduler/claim", json!({"worker_id": "w", "max": 9})).await.json(200);
        assert_eq!(column(&claimed["runs"], "work_item_id"), held[..1]);
    }
}

#[tokio::test]
async fn what_does_not_fit_is_refused_by_its_name() {
    let world = World::start().await;
    let path = format!("/projects/{}/quota", world.project().await);
    let cases = [
        (json!({"daily_runs": -1}), "daily_runs"),
        (json!({"daily_tokens": 1.5}), "daily_tokens"),
        (json!({"daily_cost_usd": -0.1}), "daily_cost_usd"),
        (json!({"daily_cost_usd": 0.1234567}), "daily_cost_usd"),
        (json!({"max_concurrent_runs": "2"}), "max_concurrent_runs"),
        (json!({"color": 1}), "color"),
    ];
    for (body, member) in cases {
        assert_eq!(world.post(&path, body).await.invalid(), [member]);
    }
    world.post("/projects/9/quota", json!({})).await.problem(404, "not_found");
    world.get("/projects/9/quota").await.problem(404, "not_found");
}
