//! What the agent of a run may do beside its run.

use crate::answer::Answer;
use crate::world::{Setup, TOKEN, World};
use serde_json::{Value, json};
use spalla_server::{Access, Token};

fn guarded() -> Setup {
    Setup { access: Access::Token(Token::new(TOKEN)), ..Setup::default() }
}

async fn call(world: &World, token: &str, method: &str, path: &str, body: Option<Value>) -> Answer {
    let request = world.bare(method, path).bearer_auth(token);
    world.send(body.map_or(request.try_clone().unwrap(), |body| request.json(&body))).await
}

async fn get(world: &World, token: &str, path: &str) -> Answer {
    call(world, token, "GET", path, None).await
}

async fn post(world: &World, token: &str, path: &str, body: Value) -> Answer {
    call(world, token, "POST", path, Some(body)).await
}

#[tokio::test]
async fn the_agent_of_a_run_makes_and_sees_work_items_of_its_project_and_starts_none() {
    for world in World::on_both_stores_with(guarded).await {
        let (run, fence) = world.claimed_run(json!({})).await;
        let path = format!("/work-items/runs/{run}/token");
        let shown = world.post(&path, json!({"fencing_token": fence})).await.json(200);
        let token = shown["token"].as_str().unwrap().to_owned();
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
