//! What runs need, what workers have, and what waits for it.

use crate::world::{Setup, World};
use serde_json::{Value, json};
use spalla_domain::concurrency::Limits;
use spalla_domain::limits::{Allowed, Limit};
use spalla_domain::resources::{Capacity, Pools};
use spalla_store::{Location, Settings};
use std::sync::Arc;

fn pooled() -> Setup {
    let mut pools = Pools::default();
    pools.0.insert("surveyor".to_owned(), Capacity { cpu_milli: Some(2_000), ..Capacity::default() });
    Setup { settings: Settings { pools: Arc::new(pools), ..Settings::default() }, ..Setup::default() }
}

async fn reasons(world: &World, query: &str) -> Vec<(Value, Value)> {
    let queue = world.get(&format!("/scheduler/queue{query}")).await.json(200);
    let of = |entry: &Value| (entry["work_item_id"].clone(), entry["reason"].clone());
    queue.as_array().unwrap().iter().map(of).collect()
}

#[tokio::test]
async fn what_a_run_needs_is_kept_shown_changed_and_taken_away() {
    for world in World::on_both_stores().await {
        let needs = json!({"cpu": 1.5, "gpu": 1, "memory_mb": 512});
        let item =
            world.item(json!({"resources": {"gpu": 1, "memory_mb": 512, "cpu": 1.5, "network": 0}})).await;
        let path = format!("/work-items/{item}");
        assert_eq!(world.get(&path).await.json(200)["resources"], needs);
        let changed = world.patch(&path, json!({"resources": {"memory_mb": 4}})).await.json(200);
        assert_eq!(changed["resources"], json!({"memory_mb": 4}));
        assert_eq!(
            world.patch(&path, json!({"title": "x"})).await.json(200)["resources"],
            json!({"memory_mb": 4})
        );
        assert_eq!(world.patch(&path, json!({"resources": null})).await.json(200)["resources"], json!(null));
    }
}

#[tokio::test]
async fn a_worker_takes_what_it_has_for_and_the_rest_waits_for_resources() {
    for world in World::on_both_stores().await {
        let first = world.queued(json!({"resources": {"memory_mb": 6}})).await;
        let second = world.queued(json!({"resources": {"memory_mb": 5}})).await;
        let plain = world.queued(json!({})).await;
        let claim = json!({"worker_id": "w", "max": 1, "resources": {"memory_mb": 8}, "labels": []});
        let run = world.post("/scheduler/claim", claim.clone()).await.json(200)["runs"][0].clone();
        assert_eq!(run["work_item_id"], first);
        let waits = [(json!(second), json!("resources")), (json!(plain), json!(null))];
        assert_eq!(reasons(&world, "").await, waits);
        assert_eq!(reasons(&world, "?reason=resources").await, waits[..1]);
        assert_eq!(reasons(&world, "?reason=none").await, waits[1..]);
        let counted = world.get("/scheduler/queue?reason=resources&count=true").await;
        assert_eq!(counted.header("x-total-count"), "1");

        let workers = world.get("/scheduler/workers?count=true").await;
        assert_eq!(workers.header("x-total-count"), "1");
        let expected = json!([{
            "worker_id": "w", "last_heartbeat_at": "2023-11-14T22:13:20.000Z", "leases": 1, "executors": [],
            "labels": [], "capacity": {"memory_mb": 8}, "reserved": {"memory_mb": 6},
        }]);
        assert_eq!(workers.json(200), expected);

        let exchange = json!({"worker_id": "w", "max": 9, "resources": {"memory_mb": 8}, "completed": [
            {"run_id": run["run_id"], "fencing_token": run["fencing_token"], "success": true}]});
        let runs = world.post("/scheduler/exchange", exchange).await.json(200)["runs"].clone();
        assert_eq!([&runs[0]["work_item_id"], &runs[1]["work_item_id"]], [&json!(second), &json!(plain)]);
        assert_eq!(world.get("/scheduler/workers").await.json(200)[0]["reserved"], json!({"memory_mb": 5}));
    }
}

#[tokio::test]
async fn what_no_configured_pool_can_hold_is_refused_and_the_rest_shares_it() {
    for world in World::on_both_stores_with(pooled).await {
        let of = |cpu: f64| json!({"executor": "agent", "agent": "surveyor", "resources": {"cpu": cpu}});
        let project = world.project().await;
        let mut large = of(2.5);
        large["project_id"] = json!(project);
        large["title"] = json!("survey it all");
        world.post("/work-items/", large).await.problem(422, "insufficient_resources");
        let (first, second) = (world.queued(of(1.5)).await, world.queued(of(1.0)).await);
        let path = format!("/work-items/{second}");
        world.patch(&path, json!({"resources": {"cpu": 3}})).await.problem(422, "insufficient_resources");
        let claim = json!({"worker_id": "w", "max": 9});
        let runs = world.post("/scheduler/claim", claim.clone()).await.json(200)["runs"].clone();
        assert_eq!((runs.as_array().unwrap().len(), &runs[0]["work_item_id"]), (1, &json!(first)));
        let pools = world.get("/scheduler/resource-pools").await.json(200);
        let expected = json!([{"agent": "surveyor", "capacity": {"cpu": 2}, "reserved": {"cpu": 1.5}}]);
        assert_eq!(pools, expected);
        assert_eq!(reasons(&world, "").await, [(json!(second), json!("resources"))]);

        let pending = world.post(&format!("/work-items/{second}/start"), json!({})).await.json(201);
        let by_number = format!("/work-items/runs/{}/claim", pending["id"]);
        world.post(&by_number, json!({"agent_id": "v"})).await.problem(409, "resources");
        let done = format!("/work-items/runs/{}/complete?success=true", runs[0]["run_id"]);
        world.post(&done, json!({"fencing_token": runs[0]["fencing_token"]})).await.json(200);
        world.post(&by_number, json!({"agent_id": "v"})).await.json(200);
    }
}

#[tokio::test]
async fn what_is_no_amount_is_refused_by_its_name() {
    let world = World::start().await;
    for bad in
        [json!({"cpu": -1}), json!({"memory_mb": 0.5}), json!({"a b": 1}), json!(4), json!({"gpu": "one"})]
    {
        let problem =
            world.post("/scheduler/claim", json!({"worker_id": "w", "resources": bad})).await.invalid();
        assert!(problem[0].starts_with("resources"), "{problem:?}");
    }
}

#[tokio::test]
async fn no_agent_has_more_runs_at_once_than_it_may() {
    let limits = Limits { alias: Some(1), ..Limits::default() };
    let settings = Settings { limits, ..Settings::default() };
    let world = World::with(Setup { settings, ..Setup::default() }).await;
    let of = || json!({"executor": "agent", "agent": "surveyor"});
    let (first, second) = (world.queued(of()).await, world.item(of()).await);
    let runs =
        world.post("/scheduler/claim", json!({"worker_id": "w", "max": 9})).await.json(200)["runs"].clone();
    assert_eq!(runs[0]["work_item_id"], first);
    world.post(&format!("/work-items/{second}/start"), json!({})).await.problem(409, "concurrency_limit");
}

#[tokio::test]
async fn what_a_limit_of_runs_at_once_holds_says_so() {
    let of = || json!({"executor": "agent", "agent": "surveyor"});
    let with = |limits: Limits| {
        World::on_both_stores_with(move || Setup {
            settings: Settings { limits, ..Settings::default() },
            ..Setup::default()
        })
    };
    for world in with(Limits { alias: Some(1), ..Limits::default() }).await {
        let (_, second, plain) =
            (world.queued(of()).await, world.queued(of()).await, world.queued(json!({})).await);
        world.post("/scheduler/claim", json!({"worker_id": "w"})).await.json(200);
        let waits = [(json!(second), json!("concurrency_limit")), (json!(plain), json!(null))];
        assert_eq!(reasons(&world, "").await, waits);
        assert_eq!(reasons(&world, "?reason=concurrency_limit").await, waits[..1]);
        assert_eq!(reasons(&world, "?reason=none").await, waits[1..]);
    }
    for world in with(Limits { global: Some(1), ..Limits::default() }).await {
        let (first, second) = (world.queued(of()).await, world.queued(json!({})).await);
        world.post(&format!("/work-items/{first}/start"), json!({})).await.json(201);
        assert_eq!(reasons(&world, "").await, [(json!(second), json!("concurrency_limit"))]);
    }
}

#[tokio::test]
async fn limits_of_a_project_and_of_an_item_are_kept_shown_handed_over_and_taken_away() {
    for world in World::on_both_stores().await {
        let (run, _) = world.claimed_run(json!({"limits": {"memory_mb": 64, "line_bytes": 1024}})).await;
        let item = world.get(&format!("/work-items/runs/{run}")).await.json(200)["work_item_id"].clone();
        let path = format!("/work-items/{item}");
        let shown = world.get(&path).await.json(200);
        assert_eq!(shown["limits"], json!({"memory_mb": 64, "line_bytes": 1024}));
        let project = format!("/projects/{}", shown["project_id"]);
        assert_eq!(world.get(&project).await.json(200)["limits"], json!(null));
        let said = json!({"processes": 20, "cpu_percent": 150});
        assert_eq!(world.patch(&project, json!({"limits": said})).await.json(200)["limits"], said);
        assert_eq!(world.patch(&project, json!({"name": "x"})).await.json(200)["limits"], said);
        assert_eq!(world.get(&project).await.json(200)["limits"], said);
        world.queued(json!({"project_id": shown["project_id"], "limits": {"memory_mb": 32}})).await;
        let claimed = world.post("/scheduler/claim", json!({"worker_id": "other"})).await.json(200);
        let expected = json!([
            {"source": "project", "limits": said},
            {"source": "item", "limits": {"memory_mb": 32}},
        ]);
        let handed = claimed.as_array().or_else(|| claimed["runs"].as_array()).expect("runs");
        assert_eq!(handed[0]["limits"], expected, "{claimed}");
        for path in [&path, &project] {
            assert_eq!(world.patch(path, json!({"limits": null})).await.json(200)["limits"], json!(null));
        }
    }
}

#[tokio::test]
async fn limits_that_make_no_sense_are_refused_with_what_they_are() {
    let world = World::in_memory().await;
    let project = world.project().await;
    for limits in [
        json!({"memory_mb": 0}),
        json!({"memory_mb": -1}),
        json!({"memory_mb": 16_777_217}),
        json!({"processes": 1.5}),
        json!({"cpu_weight": 101}),
        json!({"line_bytes": 65_537}),
        json!({"event_bytes": 1_023}),
        json!({"event_depth": 101}),
        json!({"cores": 2}),
        json!({"memory_mb": "64"}),
        json!([]),
    ] {
        let refused = world.patch(&format!("/projects/{project}"), json!({"limits": limits})).await;
        assert_eq!(
            (refused.status, refused.text.contains("limits")),
            (422, true),
            "{limits}: {}",
            refused.text
        );
        let item = json!({"project_id": project, "title": "x", "limits": limits});
        assert_eq!(world.post("/work-items/", item).await.status, 422, "{limits}");
    }
}

#[tokio::test]
async fn limits_above_the_operators_are_refused_with_what_is_allowed_and_how_to_mend_it() {
    let of = |limits: &[(Limit, u64)]| spalla_domain::limits::Limits(limits.iter().copied().collect());
    let allowed = || Allowed {
        all: of(&[(Limit::MemoryMb, 2_048), (Limit::EventDepth, 64)]),
        agents: [("surveyor".to_owned(), of(&[(Limit::MemoryMb, 512)]))].into(),
    };
    let setup = || Setup {
        settings: Settings { allowed: Arc::new(allowed()), ..Settings::default() },
        ..Setup::default()
    };
    for world in World::on_both_stores_with(setup).await {
        let (fits, more) = (json!({"memory_mb": 2048}), json!({"memory_mb": 2049}));
        let made = world.post("/projects/", json!({"name": "a", "limits": fits})).await.json(201);
        assert_eq!(made["limits"], fits);
        let (project, id) = (format!("/projects/{}", made["id"]), &made["id"]);
        let new = |limits: &Value| json!({"project_id": id, "title": "x", "limits": limits});
        let item = world.post("/work-items/", new(&fits)).await.json(201)["id"].as_i64().unwrap();
        let item = format!("/work-items/{item}");
        for refused in [
            world.post("/projects/", json!({"name": "a", "limits": more})).await,
            world.patch(&project, json!({"limits": more})).await,
            world.post("/work-items/", new(&more)).await,
            world.patch(&item, json!({"limits": more})).await,
        ] {
            assert_eq!(refused.invalid(), ["limits.memory_mb"]);
            let problem = refused.problem(422, "invalid");
            assert_eq!(problem["detail"], "limits.memory_mb is 2049, and the operator allows 2048");
            assert!(problem["mend"].as_str().unwrap().contains("sandbox.memory_mb"), "{problem}");
        }
        let bulk = world.post("/work-items/bulk", json!([new(&fits), new(&more)])).await;
        assert_eq!(bulk.invalid(), ["[1]"]);
        assert!(bulk.problem(422, "invalid")["detail"].as_str().unwrap().contains("operator allows 2048"));
        // What an agent may use is the operator's to say as well, whoever asks first.
        let of_agent =
            json!({"project_id": id, "title": "x", "executor": "agent", "agent": "surveyor", "limits": fits});
        world.post("/work-items/", of_agent).await.problem(422, "invalid");
        world.patch(&item, json!({"executor": "agent", "agent": "surveyor"})).await.problem(422, "invalid");
        // Nothing came of any of it.
        assert_eq!(world.get("/work-items/").await.json(200).as_array().unwrap().len(), 1);
        assert_eq!(world.get("/projects/").await.json(200).as_array().unwrap().len(), 1);
        assert_eq!(
            [
                world.get(&item).await.json(200)["limits"].clone(),
                world.get(&project).await.json(200)["limits"].clone()
            ],
            [fits.clone(), fits]
        );
    }
}

#[tokio::test]
async fn what_was_asked_for_before_the_operator_allowed_less_stays_and_may_be_changed_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let location = || Some(Location::Sqlite(folder.path().join("spalla.db")));
    let world = World::with(Setup { location: location(), ..Setup::default() }).await;
    let limits = json!({"processes": 100});
    let item = world.item(json!({"limits": limits})).await;
    drop(world);
    let all = spalla_domain::limits::Limits([(Limit::Processes, 10)].into());
    let settings =
        Settings { allowed: Arc::new(Allowed { all, ..Allowed::default() }), ..Settings::default() };
    let world = World::with(Setup { location: location(), settings, ..Setup::default() }).await;
    let path = format!("/work-items/{item}");
    let shown = world.patch(&path, json!({"title": "other"})).await.json(200);
    assert_eq!((&shown["title"], &shown["limits"]), (&json!("other"), &limits));
    world.patch(&path, json!({"limits": {"processes": 11}})).await.problem(422, "invalid");
    world.patch(&path, json!({"limits": {"processes": 10}})).await.json(200);
}
