//! Schedules.

use crate::world::World;
use serde_json::{Value, json};

#[tokio::test]
async fn a_schedule_is_made_shown_with_its_next_times_changed_and_removed() {
    for world in World::on_both_stores().await {
        let item = world.item(json!({})).await;
        let body = json!({"work_item_id": item, "cron": "30 2 * * *", "timezone": "Europe/Berlin"});
        let made = world.post("/scheduler/schedules", body).await;
        assert_eq!(made.header("location"), "/scheduler/schedules/1");
        let times = ["15", "16", "17", "18", "19"].map(|day| format!("2023-11-{day}T01:30:00.000Z"));
        let expected = json!({
            "id": 1, "work_item_id": item, "cron": "30 2 * * *", "timezone": "Europe/Berlin", "catch_up": "none",
            "overlap": "skip", "enabled": true, "next_times": times, "waiting": 0,
            "created_at": "2023-11-14T22:13:20.000Z", "updated_at": "2023-11-14T22:13:20.000Z",
        });
        assert_eq!(made.json(201), expected);
        let path = "/scheduler/schedules/1";
        assert_eq!(world.get(path).await.json(200), expected);
        let change =
            json!({"cron": "0 0 0 * * *", "timezone": "UTC", "catch_up": "last", "overlap": "queue"});
        let changed = world.patch(path, change).await.json(200);
        assert_eq!((&changed["catch_up"], &changed["overlap"]), (&json!("last"), &json!("queue")));
        assert_eq!(changed["next_times"][0], "2023-11-15T00:00:00.000Z");
        let off = world.patch(path, json!({"enabled": false})).await.json(200);
        assert_eq!((&off["next_times"], &off["cron"]), (&json!([]), &json!("0 0 0 * * *")));
        assert_eq!(world.delete(path).await.status, 204);
        world.get(path).await.problem(404, "not_found");
        world.delete(path).await.problem(404, "not_found");
        world.patch(path, json!({})).await.problem(404, "not_found");
    }
}

#[tokio::test]
async fn changes_of_a_schedule_that_meet_are_both_kept() {
    for world in World::on_both_stores().await {
        let item = world.item(json!({})).await;
        let body = json!({"work_item_id": item, "cron": "30 2 * * *"});
        world.post("/scheduler/schedules", body).await.json(201);
        let change = |body| world.patch("/scheduler/schedules/1", body);
        let (one, two, three) = tokio::join!(
            change(json!({"overlap": "queue"})),
            change(json!({"catch_up": "all"})),
            change(json!({"enabled": false})),
        );
        let _ = [one, two, three].map(|answer| answer.json(200));
        let kept = world.get("/scheduler/schedules/1").await.json(200);
        let members = ["overlap", "catch_up", "enabled"].map(|member| kept[member].clone());
        assert_eq!(members, [json!("queue"), json!("all"), json!(false)]);
    }
}

#[tokio::test]
async fn schedules_are_listed_by_their_work_item() {
    for world in World::on_both_stores().await {
        for _ in 0..2 {
            let item = world.item(json!({})).await;
            let body = json!({"work_item_id": item, "cron": "@daily", "enabled": false});
            world.post("/scheduler/schedules", body).await.json(201);
        }
        let items = async |query: &str| {
            let list = world.get(&format!("/scheduler/schedules?{query}")).await.json(200);
            list.as_array().unwrap().iter().map(|one| one["work_item_id"].clone()).collect::<Vec<Value>>()
        };
        assert_eq!(items("").await, [2, 1]);
        assert_eq!(items("work_item_id=1").await, [1]);
        assert_eq!(items("work_item_id=9").await, [] as [i64; 0]);
    }
}

#[tokio::test]
async fn what_does_not_fit_is_refused_by_its_name() {
    let world = World::start().await;
    let item = world.item(json!({})).await;
    let good = json!({"work_item_id": item, "cron": "0 6 * * MON-FRI"});
    world.post("/scheduler/schedules", good.clone()).await.json(201);
    let cases = [
        ("cron", json!("0 6 * *")),
        ("cron", json!("99 6 * * *")),
        ("cron", json!("0 0 30 2 *")),
        ("cron", json!("")),
        ("timezone", json!("Mars/Olympus")),
        ("timezone", json!("x".repeat(101))),
        ("catch_up", json!("some")),
        ("overlap", json!("both")),
        ("enabled", json!("yes")),
        ("work_item_id", json!(0)),
    ];
    for (member, value) in cases {
        let mut body = good.clone();
        body[member] = value;
        assert_eq!(world.post("/scheduler/schedules", body.clone()).await.invalid(), [member], "{body}");
        let change = json!({member: body[member]});
        assert_eq!(world.patch("/scheduler/schedules/1", change).await.invalid(), [member]);
    }
    let unknown = json!({"work_item_id": 99, "cron": "@daily"});
    world.post("/scheduler/schedules", unknown).await.problem(404, "not_found");
    assert_eq!(world.patch("/scheduler/schedules/1", json!({"cron": null})).await.invalid(), ["cron"]);
}
