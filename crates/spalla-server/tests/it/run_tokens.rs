//! What the agent of a run may do beside its run.

use crate::tokens::{agent, call, get, guarded, post};
use crate::world::World;
use serde_json::json;

#[tokio::test]
async fn the_agent_of_a_run_makes_and_sees_work_items_of_its_project_and_starts_none() {
    for world in World::on_both_stores_with(guarded).await {
        let (_, _, token) = agent(&world).await;
        let (own, foreign) = (1, world.project().await);
        let new = |project: i64| json!({"project_id": project, "title": "beside", "agent": "codex", "executor": "agent"});
        let made = post(&world, &token, "/work-items/", new(own)).await.json(201);
        assert_eq!(made["status"], "open");
        post(&world, &token, "/work-items/", new(foreign)).await.problem(404, "not_found");
        let queue = json!({"work_item_id": made["id"]});
        post(&world, &token, "/scheduler/enqueue", queue).await.problem(403, "forbidden");
        let path = format!("/work-items/{}", made["id"]);
        call(&world, &token, "PATCH", &path, Some(json!({"title": "x"}))).await.problem(403, "forbidden");
        let hidden = world.item(json!({"project_id": foreign})).await;
        get(&world, &token, &format!("/work-items/{hidden}")).await.problem(404, "not_found");
        let listed = get(&world, &token, "/work-items/").await.json(200);
        let projects: Vec<_> = listed.as_array().unwrap().iter().map(|item| &item["project_id"]).collect();
        assert_eq!(projects, [1, 1]);
    }
}

#[tokio::test]
async fn the_agent_of_a_run_makes_nothing_that_a_session_takes_for_its_own() {
    let world = World::with(guarded()).await;
    let (run, _, token) = agent(&world).await;
    let project = world.get(&format!("/work-items/runs/{run}")).await.json(200)["project_id"].clone();
    let make = async |label: &str| {
        let item = json!({"project_id": project, "title": "t", "executor": "external", "labels": [label]});
        world.send(world.bare("POST", "/work-items/").bearer_auth(&token).json(&item)).await
    };
    for label in ["piece:orch_1:1.review.claude", "session:orch_1", "merges:1", "reviews:1", "plans:session"]
    {
        make(label).await.problem(403, "forbidden");
    }
    make("found").await.json(201);
}
