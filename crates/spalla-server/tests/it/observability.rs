//! What the server says of itself.

use crate::world::World;
use serde_json::{Value, json};

#[tokio::test]
async fn health_counts_what_is_there() {
    let world = World::start().await;
    world.pending_run(json!({})).await;
    world.claimed_run(json!({})).await;
    world.queued(json!({})).await;
    let health = world.get("/observability/health").await.json(200);
    assert_eq!(
        health["details"]["queue"],
        json!({"ready": 1, "delayed": 0, "blocked": 0, "pending": 1, "running": 1})
    );
    assert!(health["details"]["newest_event_id"].as_i64().unwrap() > 0);
}

#[tokio::test]
async fn errors_say_how_bad_what_about_and_whether_it_passes() {
    for world in World::on_both_stores().await {
        let fail = async |error: Value| {
            let (run, token) = world.claimed_run(json!({"title": "span the river"})).await;
            let path = format!("/work-items/runs/{run}/complete?success=false");
            let body = json!({"fencing_token": token, "exit_code": 3, "error": error});
            world.post(&path, body).await.json(200)["id"].clone()
        };
        let denied = fail(json!({"class": "denied", "message": "no network for this step"})).await;
        let limited = fail(
            json!({"class": "rate_limited", "message": "slow down", "retry_at": "2023-11-15T00:00:00Z"}),
        )
        .await;
        let (run, token) = world.claimed_run(json!({})).await;
        world.complete(run, token).await;
        let errors = world.get("/api/errors?count=true").await;
        assert_eq!(errors.header("x-total-count"), "2");
        let errors = errors.json(200);
        let told =
            |error: &Value| ["id", "severity", "category", "recoverable"].map(|member| error[member].clone());
        assert_eq!(told(&errors[0]), [limited, json!("low"), json!("network"), json!(true)]);
        assert_eq!(told(&errors[1]), [denied.clone(), json!("high"), json!("security"), json!(false)]);
        assert_eq!(
            (&errors[1]["message"], &errors[1]["agent_id"]),
            (&json!("no network for this step"), &json!("w1"))
        );
        let context = &errors[1]["context"];
        assert_eq!(
            (&context["run_id"], &context["class"], &context["exit_code"]),
            (&denied, &json!("denied"), &json!(3))
        );
        let rule = |error: &Value| error["context"]["rule"].clone();
        assert_eq!((rule(&errors[0]), rule(&errors[1])), (json!("retry-network-errors"), Value::Null));
        assert_eq!(world.get("/api/errors?limit=1&offset=1").await.json(200)[0]["id"], denied);
        assert_eq!(world.get("/api/errors?project_id=99").await.json(200), json!([]));
        let due = world.get("/scheduler/queue?reason=delayed").await.json(200)[0]["due_at"].clone();
        assert_eq!(due, "2023-11-15T00:00:00.000Z");
    }
}

#[tokio::test]
async fn metrics_count_requests_by_template_and_runs_by_outcome() {
    let world = World::start().await;
    let (run, token) = world.claimed_run(json!({})).await;
    world.complete(run, token).await;
    world.queued(json!({})).await;
    world.get("/nothing/at/all").await;
    // The counter follows the events, which the server hears of after the answer.
    let metrics = world.until_metrics("spalla_runs_ended_total{outcome=\"succeeded\"} 1").await;
    for line in [
        "spalla_build_info{version=\"1.2.3\"} 1",
        "spalla_http_requests_total{method=\"POST\",route=\"/work-items/runs/{id}/complete\",status=\"200\"} 1",
        "spalla_http_requests_total{method=\"GET\",route=\"unmatched\",status=\"404\"} 1",
        "spalla_http_request_duration_seconds_bucket{method=\"POST\",route=\"/projects\",le=\"60\"} 2",
        "spalla_queue_entries{state=\"ready\"} 1",
        "spalla_queue_entries{state=\"blocked\"} 0",
        "spalla_runs_live{status=\"running\"} 0",
        "spalla_runs_ended_total{outcome=\"failed\"} 0",
        "# TYPE spalla_http_request_duration_seconds histogram",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    assert_eq!(
        world.get("/observability/metrics").await.header("content-type"),
        "text/plain; version=0.0.4; charset=utf-8"
    );
}

#[tokio::test]
async fn traces_show_a_runs_life_as_spans() {
    let world = World::start().await;
    let run = world.pending_run(json!({})).await;
    world.clock.advance(1_000);
    world.post(&format!("/work-items/runs/{run}/claim"), json!({"worker_id": "w"})).await.json(200);
    world.clock.advance(2_000);
    let trace = world.get("/observability/traces").await.json(200)[0].clone();
    let at = |second: u32| format!("2023-11-14T22:13:2{second}.000Z");
    let id = |number: usize| trace["spans"][number]["span_id"].clone();
    let open = |number: usize, name: &str, begun: u32| {
        let parent = if number == 0 { Value::Null } else { id(0) };
        json!({"span_id": id(number), "parent_span_id": parent, "name": name, "step": null,
               "started_at": at(begun), "ended_at": null, "duration_ms": null})
    };
    let mut waited = open(1, "waiting", 0);
    (waited["ended_at"], waited["duration_ms"]) = (json!(at(1)), json!(1_000));
    assert_eq!(trace["spans"], json!([open(0, "run", 0), waited, open(2, "executing", 1)]));
    assert!(id(0) != id(1) && id(0).as_str().is_some_and(|id| id.len() == 16));
    assert_eq!(trace["trace_id"], world.get(&format!("/work-items/runs/{run}")).await.json(200)["trace_id"]);
    let steps =
        json!([{"run": "a", "started_at": at(1), "duration_ms": 500}, {"run": "b", "duration_ms": 0}]);
    let end = json!({"fencing_token": 1, "result": {"steps": steps}});
    world.post(&format!("/work-items/runs/{run}/complete?success=true"), end).await.json(200);
    let ended = world.get("/observability/traces?work_item_id=1").await.json(200)[0].clone();
    assert_eq!(
        (&ended["spans"][0]["duration_ms"], &ended["spans"][2]["duration_ms"]),
        (&json!(3_000), &json!(2_000))
    );
    let step = &ended["spans"][3];
    assert_eq!([&step["name"], &step["step"], &step["parent_span_id"]], [&json!("step"), &json!(1), &id(2)]);
    assert_eq!((&step["duration_ms"], &ended["spans"][4]), (&json!(500), &Value::Null));
    assert_eq!(world.get("/observability/traces?project_id=9").await.json(200), Value::Array(vec![]));
}

/// What a name may end in beside a unit: a count, a state, a thing that is counted.
const UNITLESS: [&str; 7] = [
    "spalla_queue_entries",
    "spalla_runs_live",
    "spalla_events_newest_id",
    "spalla_streams",
    "spalla_connections",
    "spalla_health_check_healthy",
    "spalla_build_info",
];

#[tokio::test]
async fn metrics_are_named_by_the_conventions_of_prometheus() {
    let world = World::start().await;
    world.pending_run(json!({})).await;
    let metrics = world.until_metrics("spalla_health_check_healthy{check=\"store\"} 1").await;
    let types = metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let types: std::collections::BTreeMap<&str, &str> = types.collect();
    assert!(types.len() >= 12, "{metrics}");
    for (name, kind) in &types {
        assert!(
            name.starts_with("spalla_") && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'),
            "{name}"
        );
        assert_eq!(name.ends_with("_total"), *kind == "counter", "{name}");
        let in_base_unit = name.ends_with("_seconds") || name.ends_with("_bytes");
        match *kind {
            "counter" => {}
            "histogram" => assert!(in_base_unit, "{name}"),
            "gauge" => assert!(in_base_unit || UNITLESS.contains(name), "{name}"),
            other => panic!("{name} is a {other}"),
        }
        assert!(metrics.contains(&format!("# HELP {name} ")), "{name} is not described");
    }
    for line in metrics.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap();
        let suffixes = ["_bucket", "_sum", "_count"];
        let base = suffixes.iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name);
        assert!(types.contains_key(name) || types.get(base) == Some(&"histogram"), "{line}");
        assert!(line.split(' ').next_back().unwrap().parse::<f64>().is_ok(), "{line}");
    }
}
