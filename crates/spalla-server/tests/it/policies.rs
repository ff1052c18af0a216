//! Policies of a token's own: what is given for single things stands neither for their projects nor for all.

use crate::answer::Answer;
use crate::world::{Setup, TOKEN, World};
use serde_json::{Value, json};
use spalla_server::{Access, Token};

fn guarded() -> Setup {
    Setup { access: Access::Token(Token::new(TOKEN)), ..Setup::default() }
}

fn policy(resource: &str, actions: &[&str], conditions: Value) -> Value {
    json!({"resource": resource, "actions": actions, "conditions": conditions})
}

/// Makes a token that has these policies and no role.
async fn token(world: &World, policies: Value) -> String {
    let made = world.post("/tokens", json!({"name": "a", "policies": policies})).await.json(201);
    made["token"].as_str().unwrap().to_owned()
}

async fn get(world: &World, token: &str, path: &str) -> Answer {
    world.send(world.bare("GET", path).bearer_auth(token)).await
}

async fn send(world: &World, token: &str, method: &str, path: &str, body: Value) -> Answer {
    world.send(world.bare(method, path).bearer_auth(token).json(&body)).await
}

#[tokio::test]
async fn what_is_given_for_one_item_leads_to_no_other() {
    for world in World::on_both_stores_with(guarded).await {
        let project = world.project().await;
        let (mine, other) = (
            world.item(json!({"project_id": project})).await,
            world.item(json!({"project_id": project})).await,
        );
        for item in [mine, other] {
            let schedule = json!({"work_item_id": item, "cron": "0 6 * * *"});
            world.post("/scheduler/schedules", schedule).await.json(201);
        }
        for conditions in
            [json!({"work_item_ids": [mine]}), json!({"work_item_ids": [mine], "project_ids": [project]})]
        {
            let rights = json!([policy("schedule", &["read", "update"], conditions)]);
            let token = token(&world, rights).await;
            get(&world, &token, "/scheduler/schedules/1").await.json(200);
            get(&world, &token, "/scheduler/schedules/2").await.problem(404, "not_found");
            get(&world, &token, "/scheduler/schedules?count=true").await.problem(403, "forbidden");
            let moved =
                send(&world, &token, "PATCH", "/scheduler/schedules/1", json!({"work_item_id": other}));
            let problem = moved.await.problem(404, "not_found");
            assert_eq!(problem["detail"], format!("work item {other} does not exist"));
            let same = json!({"work_item_id": mine, "enabled": false});
            send(&world, &token, "PATCH", "/scheduler/schedules/1", same).await.json(200);
        }
    }
}

#[tokio::test]
async fn a_list_beneath_one_item_is_whole_and_lists_of_all_show_only_whole_projects() {
    for world in World::on_both_stores_with(guarded).await {
        let (one, two) = (world.project().await, world.project().await);
        let mut runs = vec![];
        for project in [one, two, two] {
            runs.push(world.pending_run(json!({"project_id": project})).await);
        }
        let runs_of = |item: i64| format!("/work-items/{item}/runs?count=true");
        let rights = json!([
            policy("run", &["read"], json!({"project_ids": [one]})),
            policy("run", &["read"], json!({"work_item_ids": [2]})),
        ]);
        let token = token(&world, rights).await;
        let beneath = get(&world, &token, &runs_of(2)).await;
        assert_eq!((beneath.header("x-total-count"), &beneath.json(200)[0]["id"]), ("1", &json!(runs[1])));
        get(&world, &token, &runs_of(3)).await.problem(404, "not_found");
        for path in ["/work-items/runs", "/observability/traces"] {
            let list = get(&world, &token, &format!("{path}?count=true")).await;
            assert_eq!(
                (list.header("x-total-count"), list.json(200).as_array().unwrap().len()),
                ("1", 1),
                "{path}"
            );
        }
        get(&world, &token, &format!("/work-items/runs/{}", runs[1])).await.json(200);
        get(&world, &token, &format!("/work-items/runs/{}", runs[2])).await.problem(404, "not_found");
    }
}

#[tokio::test]
async fn no_list_and_no_count_goes_by_single_items_or_runs() {
    let world = World::with(guarded()).await;
    let run = world.pending_run(json!({})).await;
    for conditions in [json!({"work_item_ids": [1]}), json!({"run_ids": [run]})] {
        let token = token(&world, json!([policy("*", &["read", "update", "create"], conditions)])).await;
        for path in [
            "/projects/",
            "/work-items/",
            "/work-items/runs",
            "/work-items/runs/info-requests",
            "/scheduler/dead-letters",
            "/scheduler/schedules",
            "/scheduler/queue",
            "/scheduler/workers",
            "/observability/traces",
            "/observability/usage",
            "/api/errors",
            "/events",
            "/metrics",
            "/audit",
            "/tokens",
            "/webhooks",
        ] {
            get(&world, &token, &format!("{path}?count=true")).await.problem(403, "forbidden");
        }
        assert_eq!(get(&world, &token, "/health").await.json(200), json!({"status": "ok"}));
        assert_eq!(world.send(world.bare("GET", "/").bearer_auth(&token)).await.status, 401);
        get(&world, &token, "/projects/1").await.problem(404, "not_found");
        let item = json!({"project_id": 1, "title": "x"});
        send(&world, &token, "POST", "/work-items/", item).await.problem(403, "forbidden");
    }
}

#[tokio::test]
async fn whoever_may_read_items_alone_sees_none_of_their_runs() {
    let world = World::with(guarded()).await;
    let (run, fence) = world.claimed_run(json!({})).await;
    let end = json!({"fencing_token": fence, "error": {"class": "denied", "message": "no"}});
    world.post(&format!("/work-items/runs/{run}/complete?success=false"), end).await.json(200);
    let items = policy("work_item", &["read"], json!({}));
    let runs_seen = async |rights: Value| {
        let token = token(&world, rights).await;
        let list = get(&world, &token, "/scheduler/dead-letters").await.json(200);
        (list.as_array().unwrap().len(), list[0]["runs"].as_array().unwrap().len())
    };
    assert_eq!(runs_seen(json!([items])).await, (1, 0));
    assert_eq!(runs_seen(json!([items, policy("run", &["read"], json!({"run_ids": [run]}))])).await, (1, 1));
    // The start page shows runs, and counts what waits.
    let token = token(&world, json!([policy("run", &["read"], json!({}))])).await;
    assert_eq!(world.send(world.bare("GET", "/").bearer_auth(&token)).await.status, 401);
}
