//! Agents from the files that people write to the work that is done by them, with the real binary: converted, served, published
//! anew without a restart, refused where they are older, and chosen for what a session has to do.

use crate::process::{Server, until};
use crate::scripted::Place;
use serde_json::{Value, json};
use std::fs;

const POET: &str =
    "---\nname: poet\ndescription: Writes sonnets. USE FOR: sonnet, verse\n---\nYou are a poet.\n";
const PLUMBER: &str =
    "---\nname: plumber\ndescription: Mends pipes. USE FOR: pipe, leak\n---\nYou are a plumber.\n";

fn write(place: &Place, name: &str, text: &str) {
    let folder = place.home.path(".claude/agents/crafts");
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join(name), text).expect("a file");
}

fn convert(place: &Place, at: &str) {
    let mut command = place.home.command(&["convert"]);
    let output = command.env("SOURCE_DATE_EPOCH", at).output().expect("the binary runs");
    assert!(output.status.success(), "{output:?}");
}

async fn description(server: &Server, id: &str) -> Value {
    server.rest.get(&format!("/api/agents/{id}")).await["agent"]["description"].clone()
}

fn ids(list: &Value) -> Vec<&str> {
    list.as_array().expect("a list").iter().filter_map(|one| one["id"].as_str()).collect()
}

#[tokio::test]
async fn newly_published_agents_serve_without_a_restart_and_older_ones_never() {
    let place = Place::make();
    write(&place, "poet.md", POET);
    convert(&place, "1000");
    let server = place.up();
    assert_eq!(ids(&server.rest.get("/api/agents").await), ["poet"]);
    assert_eq!(server.rest.get("/schemas/agent.json").await["$id"], "/schemas/agent.json");
    server
        .rest
        .post(
            "/api/aliases",
            json!({"name": "careful", "id": "poet", "overrides": {"runtime": {"autonomy_level": 0.1}}}),
        )
        .await;
    write(&place, "plumber.md", PLUMBER);
    write(&place, "poet.md", &POET.replace("sonnets", "odes"));
    convert(&place, "2000");
    let news = server.rest.event("registry.reloaded").await;
    assert_eq!(
        (&news["project_id"], &news["payload"]["agents"], &news["payload"]["changed"]),
        (&json!(0), &json!(2), &json!(2))
    );
    assert_eq!(ids(&server.rest.get("/api/agents").await), ["plumber", "poet"]);
    assert!(description(&server, "poet").await.as_str().is_some_and(|text| text.contains("odes")));
    let route = server.rest.post("/api/route", json!({"task": "There is a leak in the pipe"})).await;
    assert_eq!(route["candidates"][0]["id"], "plumber", "{route}");
    write(&place, "poet.md", &POET.replace("sonnets", "epics"));
    convert(&place, "1500");
    let refused = server.rest.event("registry.refused").await;
    assert!(refused["payload"]["reason"].as_str().is_some_and(|why| why.contains("older")), "{refused}");
    assert!(description(&server, "poet").await.as_str().is_some_and(|text| text.contains("odes")));
    until("its health says so", || async {
        (server.rest.get("/health").await["status"] == "degraded").then_some(())
    })
    .await;
    // What people said of aliases is kept over a restart.
    server.process.kill();
    convert(&place, "3000");
    let server = place.up();
    let careful = server.rest.get("/api/agents/careful").await;
    assert_eq!(
        (&careful["agent"]["instance_alias"], &careful["runtime"]["autonomy_level"]),
        (&json!("careful"), &json!(0.1))
    );
}

#[tokio::test]
async fn a_piece_that_names_nobody_is_done_by_the_definition_that_it_is_for_and_keeps_why() {
    let place = Place::make();
    write(&place, "poet.md", POET);
    write(&place, "plumber.md", PLUMBER);
    convert(&place, "1000");
    let server = place.up();
    place.let_go();
    let mut wish = place.wish(&["codex"]);
    wish["goal"] = json!("Write a sonnet into hello.txt");
    server.rest.post("/api/sessions", wish).await;
    let session = until("it is done", || async {
        let session = server.rest.get("/api/session").await;
        (session["status"] == "done").then_some(session)
    })
    .await;
    let definition = &session["items"][0]["definition"];
    assert_eq!(
        (&definition["id"], &definition["by"], &definition["ambiguous"]),
        (&json!("poet"), &json!("routed"), &json!(false))
    );
    assert_eq!(definition["explanation"]["stage"], "keywords");
    let best = &definition["explanation"]["candidates"][0];
    let found = best["matched"].as_array().expect("what it was found by");
    assert!(found.iter().any(|one| one["trigger"] == "sonnet"), "{best}");
    let shown = place.home.run(&["session", "show", "latest", "--json"]).good();
    let shown: Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!(shown["items"][0]["definition"]["explanation"], definition["explanation"]);
    let item = session["items"][0]["work_item_id"].as_i64().expect("an item");
    let item = server.rest.get(&format!("/work-items/{item}")).await;
    assert_eq!((&item["definition"]["digest"], &item["agent"]), (&definition["digest"], &json!("codex")));
    let told = fs::read_to_string(place.home.shared("prompts")).expect("what it was told");
    assert!(told.contains("You are a poet.") && told.contains("The task:\n\nWrite a sonnet"), "{told}");
    let report = fs::read_to_string(shown["report"].as_str().expect("a report")).expect("a report");
    assert!(report.contains("agent: `poet`, found by keywords: ") && report.contains("sonnet"), "{report}");
    // The same over the API: nobody is named, and somebody is found.
    let project = session["project_id"].clone();
    let body =
        json!({"project_id": project, "title": "There is a leak", "executor": "agent", "agent": "plumber"});
    let pinned = server.rest.call("POST", "/work-items/", Some(body)).await.expect("an answer");
    assert!(pinned.0 == 201 || pinned.1["code"] == "no_agents", "{pinned:?}");
}

#[tokio::test]
async fn a_plan_may_name_a_definition_or_an_alias_of_the_settings() {
    let place = Place::make();
    write(&place, "poet.md", POET);
    write(&place, "plumber.md", PLUMBER);
    convert(&place, "1000");
    let plan =
        json!({"items": [{"key": "a", "prompt": "Write a sonnet into hello.txt", "agent": "careful"}]});
    fs::write(place.home.path("plan.json"), plan.to_string()).expect("a file");
    place.let_go();
    let alias = r#"{"careful": {"id": "plumber", "overrides": {"runtime": {"autonomy_level": 0.1}}}}"#;
    let flags = ["--agents", "codex", "--yes", "--plan", "plan.json"];
    let said = place.orchestrate("Write it", &flags, &[("SPALLA_ALIASES", alias)]).good();
    assert!(said.contains("(codex as careful)"), "{said}");
    let shown = place.home.run(&["session", "show", "latest", "--json"]).good();
    let shown: Value = serde_json::from_str(&shown).expect("JSON");
    let definition = &shown["items"][0]["definition"];
    assert_eq!(
        (&definition["id"], &definition["alias"], &definition["by"]),
        (&json!("plumber"), &json!("careful"), &json!("pinned"))
    );
}

#[tokio::test]
async fn an_agent_that_fails_its_test_after_a_start_is_passed_over() {
    let place = Place::make();
    write(&place, "poet.md", POET);
    write(&place, "plumber.md", &PLUMBER.replace("---\nYou", "testing:\n  smoke: exit 1\n---\nYou"));
    let mut command = place.home.command(&["convert", "--no-smoke"]);
    let output = command.env("SOURCE_DATE_EPOCH", "1000").output().expect("the binary runs");
    assert!(output.status.success(), "{output:?}");
    let server = place.up();
    let news = server.rest.event("registry.reloaded").await;
    let held = &news["payload"]["held"];
    assert_eq!(
        (&held[0]["id"], &held[0]["old_serves"], &held[1]),
        (&json!("plumber"), &json!(false), &json!(null))
    );
    let route = server.rest.post("/api/route", json!({"task": "There is a leak in the pipe"})).await;
    assert!(!ids(&route["candidates"]).contains(&"plumber"), "{route}");
    assert!(route["standing"].is_string(), "{route}");
    let all = server.rest.get("/api/agents").await;
    let gates: Vec<_> =
        all.as_array().expect("a list").iter().filter_map(|one| one["smoke_gate"].as_str()).collect();
    assert_eq!(gates, ["missing", "none"]);
}

/// A poet whose work somebody else has to approve of.
fn publish_a_poet_with_a_peer(place: &Place) {
    let peer = POET.replace("---\nYou are", "testing:\n  verification_policy: peer\n---\nYou are");
    write(place, "poet.md", &peer);
    convert(place, "1000");
}

#[test]
fn a_piece_by_a_definition_that_asks_for_a_peer_needs_a_second_agent_whether_it_is_named_or_found() {
    let place = Place::make();
    publish_a_poet_with_a_peer(&place);
    place.let_go();
    let plan = json!({"items": [{"key": "a", "prompt": "Write hello.txt", "agent": "poet"}]});
    fs::write(place.home.path("plan.json"), plan.to_string()).expect("a file");
    let pinned = ["--yes", "--plan", "plan.json"];
    for (goal, flags) in [("Write a sonnet into hello.txt", &["--yes"][..]), ("Write it", &pinned)] {
        let alone = place.orchestrate(goal, &[&["--agents", "codex"], flags].concat(), &[]);
        assert_eq!(alone.status, Some(2), "{alone:?}");
        assert!(alone.stderr.contains("poet asks for a peer's approval"), "{alone:?}");
        assert!(!place.home.shared("prompts").exists(), "an agent was asked");
    }
    let two = ["--agents", "codex,claude", "--yes"];
    let said = place.orchestrate("Write a sonnet into hello.txt", &two, &[]).good();
    assert!(said.contains("as poet)"), "{said}");
}

#[tokio::test]
async fn outside_a_session_nobody_is_asked_to_work_whom_a_peer_would_have_to_approve_of() {
    let place = Place::make();
    publish_a_poet_with_a_peer(&place);
    let server = place.up();
    let project = server.rest.post("/projects/", json!({"name": "p"})).await["id"].clone();
    for named in [json!({"title": "Write a sonnet"}), json!({"title": "a", "agent": "poet"})] {
        let mut body = json!({"project_id": project, "executor": "agent"});
        body.as_object_mut().expect("an object").extend(named.as_object().expect("an object").clone());
        let (status, answer) = server.rest.call("POST", "/work-items/", Some(body)).await.expect("an answer");
        assert_eq!(status, 422, "{answer}");
        assert!(answer["detail"].as_str().is_some_and(|why| why.contains("nobody reviews")), "{answer}");
    }
}

#[test]
fn a_plan_names_an_agent_that_comes_with_the_program() {
    let place = Place::make();
    place.let_go();
    let plan = json!({"items": [{"key": "a", "prompt": "Write hello.txt", "agent": "codex-architect"}]});
    fs::write(place.home.path("plan.json"), plan.to_string()).expect("a file");
    let flags = ["--agents", "codex,claude", "--yes", "--plan", "plan.json"];
    let ended = place.orchestrate("Write it", &flags, &[]);
    assert!(ended.stdout.contains("(codex as codex-architect)"), "{ended:?}");
    let shown = place.home.run(&["session", "show", "latest", "--json"]).good();
    let shown: Value = serde_json::from_str(&shown).expect("JSON");
    let definition = &shown["items"][0]["definition"];
    assert_eq!((&definition["id"], &definition["by"]), (&json!("codex-architect"), &json!("pinned")));
}

#[tokio::test]
async fn a_piece_waits_while_the_queue_of_its_alias_is_full_and_is_done_when_there_is_room() {
    let place = Place::make();
    write(&place, "poet.md", POET);
    convert(&place, "1000");
    let server = place.up_with(&[("SPALLA_ALIASES", CAREFUL)]);
    place.let_go();
    let project = server.rest.post("/projects/", json!({"name": "p"})).await["id"].clone();
    let others = fill(&server, &project, 10).await;
    let mut wish = place.wish(&["codex"]);
    wish["plan"] = json!({"items": [{"key": "a", "prompt": "Write hello.txt", "agent": "careful"}]});
    server.rest.post("/api/sessions", wish).await;
    let piece = until("its piece is made", || async {
        server.rest.get("/api/session").await["items"][0]["work_item_id"].as_i64()
    })
    .await;
    let stands = async || server.rest.get(&format!("/work-items/{piece}")).await["status"].clone();
    until("it was tried in vain", || async {
        place.home.stderr_of("server.log").contains("waits for room").then_some(())
    })
    .await;
    assert_eq!(stands().await, "open");
    empty(&server, others).await;
    until("it is done", || async {
        (server.rest.get("/api/session").await["status"] == "done").then_some(())
    })
    .await;
    assert_eq!(stands().await, "succeeded");
}

/// Settings by which an alias has one task at a time, so that ten wait for it at the most.
const CAREFUL: &str =
    r#"{"careful": {"id": "poet", "overrides": {"runtime": {"concurrency": {"max_parallel_tasks": 1}}}}}"#;

/// Puts so much into the queue of the alias: it is for it, as whoever makes it says, and for a day to come.
async fn fill(server: &Server, project: &Value, count: usize) -> Vec<Value> {
    let mut all = Vec::new();
    for _ in 0..count {
        let body = json!({"project_id": project, "title": "a", "executor": "recipe", "recipe": "steps: [{run: 'true'}]",
            "labels": ["alias:careful"]});
        let id = server.rest.post("/work-items/", body).await["id"].clone();
        server.rest.post("/scheduler/enqueue", json!({"work_item_id": id, "delay_seconds": 86_400})).await;
        all.push(id);
    }
    all
}

async fn empty(server: &Server, all: Vec<Value>) {
    for id in all {
        server.rest.call("DELETE", &format!("/work-items/{id}"), None).await.expect("an answer");
    }
}

/// Begins a session with one piece for the alias, stops it, and fills the queue; returns the piece, and what fills the queue.
async fn stopped_with_a_full_queue(place: &Place, server: &Server) -> (i64, Vec<Value>) {
    let project = server.rest.post("/projects/", json!({"name": "p"})).await["id"].clone();
    // There is room for one more, which is the piece; what waits is counted now and then, and it counts until then.
    let mut others = fill(server, &project, 9).await;
    let mut wish = place.wish(&["codex"]);
    wish["plan"] = json!({"items": [{"key": "a", "prompt": "Write hello.txt", "agent": "careful"}]});
    server.rest.post("/api/sessions", wish).await;
    place.until_begun().await;
    // It may have stopped before that is answered, which is as well.
    server.rest.call("POST", "/api/control/stop", Some(json!({}))).await.expect("an answer");
    until("it is stopped", || async {
        (server.rest.get("/api/session").await["status"] == "stopped").then_some(())
    })
    .await;
    let piece =
        server.rest.get("/api/session").await["items"][0]["work_item_id"].as_i64().expect("its piece");
    place.let_go();
    others.extend(fill(server, &project, 1).await);
    (piece, others)
}

#[tokio::test]
async fn a_session_that_goes_on_waits_for_room_in_the_queue_of_its_alias() {
    let place = Place::make();
    write(&place, "poet.md", POET);
    convert(&place, "1000");
    let server = place.up_with(&[("SPALLA_ALIASES", CAREFUL)]);
    let (piece, others) = stopped_with_a_full_queue(&place, &server).await;
    server.rest.post("/api/control/resume", json!({})).await;
    until("it was tried in vain", || async {
        place.home.stderr_of("server.log").contains("waits for room").then_some(())
    })
    .await;
    assert_eq!(server.rest.get(&format!("/work-items/{piece}")).await["status"], "cancelled");
    assert_eq!(server.rest.get("/api/session").await["status"], "running");
    empty(&server, others).await;
    until("it is done", || async {
        (server.rest.get("/api/session").await["status"] == "done").then_some(())
    })
    .await;
    assert_eq!(place.applied(), "hello\n");
}

#[tokio::test]
async fn a_session_that_is_taken_up_beside_the_server_waits_for_room_there() {
    let place = Place::make();
    write(&place, "poet.md", POET);
    convert(&place, "1000");
    let server = place.up_with(&[("SPALLA_ALIASES", CAREFUL)]);
    let (_, others) = stopped_with_a_full_queue(&place, &server).await;
    let mut command = place.home.command(&["session", "resume", "latest"]);
    let pursued = std::thread::spawn(move || command.output().expect("the binary runs"));
    until("it is pursued", || async {
        (server.rest.get("/api/session").await["status"] == "running").then_some(())
    })
    .await;
    empty(&server, others).await;
    let ended = pursued.join().expect("it ends");
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(place.applied(), "hello\n");
}
