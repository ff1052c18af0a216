//! Approvals.

use crate::world::World;
use serde_json::{Value, json};

#[tokio::test]
async fn an_approval_holds_an_item_until_a_person_says_yes() {
    let world = World::start().await;
    let item = world.queued(json!({})).await;
    let asked = world.post(&format!("/work-items/{item}/approvals"), json!({"kind": "deploy"})).await;
    assert_eq!(asked.header("location"), "/work-items/approvals/1");
    let approval = asked.json(201);
    assert_eq!(
        approval,
        json!({"id": 1, "work_item_id": item, "title": "build", "kind": "deploy", "status": "pending",
               "role": null, "count": 1, "given": 0, "missing": 1, "requested_at": "2023-11-14T22:13:20.000Z", "decided_at": null, "decided_by": null, "note": null, "subject": null})
    );
    world.post(&format!("/work-items/{item}/start"), json!({})).await.problem(409, "approval_pending");
    assert_eq!(world.get(&format!("/work-items/{item}")).await.json(200)["reason"], "approval_pending");

    let yes =
        world.post("/work-items/approvals/1/approve", json!({"by": "ada", "note": "go"})).await.json(200);
    assert_eq!(
        (&yes["status"], &yes["decided_by"], &yes["note"]),
        (&json!("approved"), &json!("ada"), &json!("go"))
    );
    assert_eq!(world.get("/work-items/approvals/1").await.json(200), yes);
    world.post(&format!("/work-items/{item}/start"), json!({})).await.json(201);
}

#[tokio::test]
async fn an_approval_is_decided_once() {
    let world = World::start().await;
    let item = world.queued(json!({})).await;
    let path = format!("/work-items/{item}/approvals");
    world.post(&path, json!({})).await.json(201);
    let no = world.send(world.request("POST", "/work-items/approvals/1/reject")).await.json(200);
    assert_eq!((&no["kind"], &no["status"]), (&json!("start"), &json!("rejected")));
    for verdict in ["approve", "reject"] {
        world
            .post(&format!("/work-items/approvals/1/{verdict}"), json!({}))
            .await
            .problem(409, "already_decided");
    }
    world.post(&format!("/work-items/{item}/start"), json!({})).await.problem(409, "approval_rejected");
    let listed = world.get(&format!("{path}?count=true")).await;
    assert_eq!((listed.header("x-total-count"), listed.json(200).as_array().unwrap().len()), ("1", 1));
}

#[tokio::test]
async fn several_people_of_one_role_have_to_say_yes_and_each_counts_once() {
    for world in World::on_both_stores().await {
        let item = world.queued(json!({})).await;
        let path = format!("/work-items/{item}/approvals");
        world.post(&path, json!({})).await.json(201);
        world.post("/work-items/approvals/1/approve", json!({})).await.json(200);
        let asked = world.post(&path, json!({"kind": "deploy", "role": "lead", "count": 2})).await.json(201);
        let votes = |approval: &Value| {
            ["status", "role", "count", "given", "missing"].map(|member| approval[member].clone())
        };
        assert_eq!(json!(votes(&asked)), json!(["pending", "lead", 2, 0, 2]));
        let approve = "/work-items/approvals/2/approve";
        for _ in 0..2 {
            let one = world.post(approve, json!({"by": "ada"})).await.json(200);
            assert_eq!(json!(votes(&one)), json!(["pending", "lead", 2, 1, 1]));
            assert_eq!(one["decided_at"], Value::Null);
        }
        world.post(&format!("/work-items/{item}/start"), json!({})).await.problem(409, "approval_pending");
        let both = world.post(approve, json!({"by": "bob"})).await.json(200);
        assert_eq!(json!(votes(&both)), json!(["approved", "lead", 2, 2, 0]));
        world.post(approve, json!({"by": "eve"})).await.problem(409, "already_decided");
        let listed = world.get(&path).await.json(200);
        assert_eq!((&listed[0], json!(votes(&listed[1]))), (&both, json!(["approved", null, 1, 1, 0])));
        world.post(&format!("/work-items/{item}/start"), json!({})).await.json(201);
    }
}

#[tokio::test]
async fn one_no_among_several_votes_decides() {
    for world in World::on_both_stores().await {
        let item = world.item(json!({})).await;
        world.post(&format!("/work-items/{item}/approvals"), json!({"count": 2})).await.json(201);
        world.post("/work-items/approvals/1/approve", json!({"by": "ada"})).await.json(200);
        let no = world.post("/work-items/approvals/1/reject", json!({"by": "bob"})).await.json(200);
        assert_eq!((&no["status"], &no["given"], &no["missing"]), (&json!("rejected"), &json!(1), &json!(0)));
    }
}

#[tokio::test]
async fn what_does_not_fit_is_refused_by_its_name() {
    let world = World::start().await;
    let path = format!("/work-items/{}/approvals", world.item(json!({})).await);
    assert_eq!(world.post(&path, json!({"kind": "odd"})).await.invalid(), ["kind"]);
    for count in [0, 17] {
        assert_eq!(world.post(&path, json!({"count": count})).await.invalid(), ["count"]);
    }
    assert_eq!(world.post(&path, json!({"role": " "})).await.invalid(), ["role"]);
    world.post("/work-items/99/approvals", json!({})).await.problem(404, "not_found");
    world.get("/work-items/99/approvals").await.problem(404, "not_found");
    world.post("/work-items/approvals/99/approve", json!({})).await.problem(404, "not_found");
}
