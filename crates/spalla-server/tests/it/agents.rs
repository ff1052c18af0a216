//! What agents do: derived from runs and workers, and told where it changes.

use crate::tokens::{get, guarded};
use crate::world::World;
use serde_json::{Value, json};
use spalla_domain::event::Fact;
use spalla_store::view::EventFilter;

async fn claimed(world: &World, agent: &str) -> (i64, i64) {
    world.claimed_run(json!({"executor": "agent", "agent": agent, "project_id": 1})).await
}

async fn end(world: &World, (run, token): (i64, i64), success: bool) {
    let path = format!("/work-items/runs/{run}/complete?success={success}");
    world
        .post(&path, json!({"fencing_token": token, "usage": {"input_tokens": 5, "output_tokens": 2}}))
        .await
        .json(200);
}

async fn state(world: &World, agent: &str) -> Value {
    let all = world.get(&format!("/api/agents/state?project_id=1&agent={agent}")).await.json(200);
    assert_eq!(all.as_array().unwrap().len(), 1, "{all}");
    all[0].clone()
}

/// Waits until so many changes were told, and returns them.
async fn changes(world: &World, count: usize) -> Vec<String> {
    let mut commits = world.store.committed();
    loop {
        let events = world.store.read().events(EventFilter::default(), 1_000).await.unwrap();
        let told = events.into_iter().filter_map(|event| match event.fact {
            Fact::AgentStateChanged { agent, before, after } => Some(format!("{agent} {before:?} {after:?}")),
            _ => None,
        });
        let told: Vec<_> = told.collect();
        if told.len() >= count {
            return told;
        }
        commits.recv().await.unwrap();
    }
}

#[tokio::test]
async fn an_agent_is_busy_while_it_works_and_each_change_is_an_event_with_before_and_after() {
    for world in World::on_both_stores().await {
        world.project().await;
        let run = claimed(&world, "codex").await;
        let shown = state(&world, "codex").await;
        let current = json!([{"work_item_id": 1, "run_id": run.0}]);
        assert_eq!((&shown["state"], &shown["current"]), (&json!("busy"), &current));
        assert_eq!(changes(&world, 1).await, ["codex None Busy"]);
        assert_eq!(state(&world, "codex").await["since"], "2023-11-14T22:13:20.000Z");
        end(&world, run, false).await;
        assert_eq!(changes(&world, 2).await[1], "codex Some(Busy) Error");
        let shown = state(&world, "codex").await;
        assert_eq!((&shown["state"], &shown["current"]), (&json!("error"), &json!([])));
        let expected =
            json!({"runs": 1, "succeeded": 0, "failed": 1, "tokens": 7, "cost_usd": 0.0, "average_ms": 0});
        assert_eq!(shown["metrics"], expected);
        let run = claimed(&world, "codex").await;
        changes(&world, 3).await;
        end(&world, run, true).await;
        assert_eq!(changes(&world, 4).await[3], "codex Some(Busy) Idle");
        assert_eq!(state(&world, "codex").await["state"], "idle");
    }
}

#[tokio::test]
async fn an_agent_is_shown_by_its_name_with_what_came_of_its_newest_runs() {
    for world in World::on_both_stores().await {
        world.project().await;
        for (agent, success) in [("codex", false), ("claude", true), ("codex", true)] {
            let run = claimed(&world, agent).await;
            end(&world, run, success).await;
        }
        let codex = state(&world, "codex").await;
        assert_eq!((&codex["state"], &codex["metrics"]["runs"]), (&json!("idle"), &json!(2)));
        assert_eq!((&codex["metrics"]["failed"], &codex["metrics"]["tokens"]), (&json!(1), &json!(14)));
        assert_eq!(world.get("/api/agents/state?agent=gemini").await.json(200), json!([]));
    }
}

#[tokio::test]
async fn scorecards_tell_how_the_runs_of_each_agent_went() {
    for world in World::on_both_stores().await {
        world.project().await;
        for (agent, success) in [("codex", true), ("codex", false), ("claude", true)] {
            let run = claimed(&world, agent).await;
            end(&world, run, success).await;
        }
        let all = world.get("/api/scorecards").await.json(200);
        let names: Vec<_> =
            all["agents"].as_array().unwrap().iter().map(|card| card["agent"].clone()).collect();
        assert_eq!(names, ["claude", "codex"]);
        let codex = world.get("/api/scorecards?agent=codex&project_id=1").await.json(200);
        let card = &codex["agents"][0];
        let rates = (&card["task_count"], &card["success_rate"], &card["error_rate"], &card["tokens"]);
        assert_eq!(rates, (&json!(2), &json!(0.5), &json!(0.5), &json!(14.0)));
        let unmeasured = json!({"cpu": null, "memory": null, "network": null, "storage": null});
        assert_eq!(card["resource_utilization"], unmeasured);
        assert_eq!(card["last_updated_at"], "2023-11-14T22:13:20.000Z");
        assert_eq!(world.get("/api/scorecards?agent=nobody").await.json(200)["agents"], json!([]));
    }
}

#[tokio::test]
async fn scorecards_tell_how_much_of_machines_runs_use_where_it_was_measured() {
    let world = World::in_memory().await;
    world.project().await;
    let (run, token) = claimed(&world, "codex").await;
    world.clock.advance(2_000);
    let used = json!({"cpu_ms": 3_000, "memory_bytes": 52_428_800});
    let sandbox = json!({"preset": "agent", "policy_hash": "ab".repeat(32), "layers": [], "used": used});
    let completed = json!([{"run_id": run, "fencing_token": token, "success": true, "sandbox": sandbox}]);
    world.post("/scheduler/exchange", json!({"worker_id": "w", "completed": completed})).await.json(200);
    let cards = world.get("/api/scorecards?agent=codex").await.json(200);
    let wanted = json!({"cpu": 1.5, "memory": 50.0, "network": null, "storage": null});
    assert_eq!(cards["agents"][0]["resource_utilization"], wanted);
    let shown = world.get(&format!("/work-items/runs/{run}")).await.json(200);
    assert_eq!(shown["sandbox"]["used"], used);
}

#[tokio::test]
async fn an_item_takes_what_a_definition_says_and_refuses_what_is_no_policy() {
    let world = World::in_memory().await;
    world.project().await;
    let item = |policy: Value| json!({"project_id": 1, "title": "x", "executor": "agent", "agent": "codex", "adapter": {"policy": policy}});
    let policy = json!({"id": "tester", "tools": {"allowed": ["Read"]}, "strict_tools": true});
    let made = world.post("/work-items/", item(policy.clone())).await.json(201);
    assert_eq!(made["adapter"]["policy"], policy);
    for wrong in [
        json!({}),
        json!([]),
        json!({"id": "a", "colour": 1}),
        json!({"id": "a", "hooks": {"pre_task": vec!["x"; 10_000]}}),
    ] {
        let refused = world.post("/work-items/", item(wrong.clone())).await;
        assert_eq!(refused.status, 422, "{wrong}: {}", refused.text);
    }
}

#[tokio::test]
async fn an_agent_is_offline_when_no_worker_was_heard_of_lately() {
    let world = World::start().await;
    world.project().await;
    world.item(json!({"executor": "agent", "agent": "codex", "project_id": 1})).await;
    assert_eq!(state(&world, "codex").await["state"], "offline");
    let run = claimed(&world, "claude").await;
    end(&world, run, true).await;
    assert_eq!(state(&world, "codex").await["state"], "idle", "its worker may carry out any agent");
    world.clock.advance(60_001);
    assert_eq!(state(&world, "codex").await["state"], "offline");
}

#[tokio::test]
async fn agents_of_other_projects_are_nobody_s_to_see_and_recipes_have_none() {
    let world = World::with(guarded()).await;
    let (one, two) = (world.project().await, world.project().await);
    world.item(json!({"executor": "agent", "agent": "codex", "project_id": two})).await;
    world.item(json!({"project_id": one})).await;
    let new = json!({"name": "v", "role": "viewer", "project_ids": [one]});
    let viewer = world.post("/tokens", new).await.json(201)["token"].as_str().unwrap().to_owned();
    assert_eq!(get(&world, &viewer, "/api/agents/state").await.json(200), json!([]));
    assert_eq!(world.get("/api/agents/state").await.json(200).as_array().unwrap().len(), 1);
}
