//! Sessions that a server is asked for, with the real binary: agents are played by scripts, all else is as it is.

use crate::process::{Server, until};
use crate::scripted::Place;
use serde_json::{Value, json};

async fn until_status(server: &Server, wanted: &str) -> Value {
    until(wanted, || async {
        let session = server.rest.get("/api/session").await;
        (session["status"] == wanted).then_some(session)
    })
    .await
}

#[tokio::test]
async fn a_session_begun_over_http_is_done_and_can_be_applied() {
    let place = Place::make();
    let server = place.up();
    place.let_go();
    let begun = server.rest.post("/api/sessions", place.wish(&["codex"])).await;
    assert_eq!(
        (&begun["status"], &begun["tier"], &begun["is_pursued"]),
        (&json!("running"), &json!(4), &json!(true))
    );
    assert!(begun["project_id"].is_i64(), "whoever follows its events knows at once whose they are: {begun}");
    let done = until_status(&server, "done").await;
    assert_eq!((&done["usage"]["total_tokens"], &done["pieces_done"]), (&json!(12), &json!(1)));
    assert_eq!(done["decisions"][0]["by_rules"], true, "there was no other agent: {done}");
    assert!(!place.target.join("hello.txt").exists(), "the target waits for a person");
    assert_eq!(place.applied(), "hello\n");
    assert_eq!(server.rest.get("/api/session").await["is_applied"], true);
    let workers = server.rest.get("/api/workers").await;
    assert_eq!((&workers[0]["agent"], &workers[0]["items_done"]), (&json!("codex"), &json!(1)));
}

#[tokio::test]
async fn a_server_is_asked_who_splits_the_goal_and_who_chooses_among_agents() {
    let place = Place::make();
    let server = place.up();
    place.let_go();
    let works = |session: &Value| -> Vec<Value> {
        let items = session["items"].as_array().expect("items");
        items.iter().filter(|item| item["kind"] == "work").cloned().collect()
    };
    let begin = async |decomposer: &str, goal: &str| {
        let wish = json!({"goal": goal, "target": place.target, "agents": ["codex"],
            "decomposer": decomposer, "selector": "tiny"});
        let begun = server.rest.post("/api/sessions", wish).await;
        let done = until_status(&server, "done").await;
        assert_eq!(done["id"], begun["id"]);
        works(&done)
    };
    let prose = "Add a dark theme to the settings page. Migrate the database from MySQL to Postgres.";
    let pieces = begin("tiny", prose).await;
    assert_eq!(pieces.len(), 2, "{pieces:?}");
    assert!(pieces[0]["why"].as_str().is_some_and(|why| why.starts_with("tiny: it is ")), "{pieces:?}");
    assert_eq!(begin("heuristic", prose).await.len(), 1);
    let planned = begin("llm", "Write it").await;
    let mut keys: Vec<_> = planned.iter().filter_map(|item| item["key"].as_str()).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["a", "b"], "the agent planned them");
}

#[tokio::test]
async fn a_plan_waits_for_a_person_who_changes_it_and_nothing_begins_before() {
    let place = Place::make();
    let server = place.up();
    place.let_go();
    let mut wish = place.wish(&["codex"]);
    wish["revise"] = json!(true);
    let begun = server.rest.post("/api/sessions", wish).await;
    let waiting = until_status(&server, "waiting").await;
    assert_eq!((&waiting["waits_for_plan"], &waiting["items"]), (&json!(true), &json!([])));
    let told = server.rest.event("session.waiting").await;
    assert!(told["payload"]["why"].as_str().is_some_and(|why| why.contains("its plan waits")), "{told}");
    // Whoever goes on with it waits as well.
    server.process.kill();
    let server = place.up();
    let proposed = until("it waits again", || async {
        let (status, shown) = server.rest.call("GET", "/api/session/plan", None).await.expect("an answer");
        (status == 200).then_some(shown)
    })
    .await;
    assert_eq!(proposed["plan"]["items"][0]["prompt"], "Write hello.txt", "{proposed}");
    for (plan, why) in [
        (json!({"items": []}), "items is empty"),
        (json!({"items": [{"key": "a", "prompt": "x", "agent": "clod"}]}), "there is no agent \"clod\""),
    ] {
        let body = json!({"plan": plan});
        let (status, problem) =
            server.rest.call("POST", "/api/session/plan", Some(body)).await.expect("an answer");
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert!(status == 422 && detail.contains(why), "{status} {problem}");
    }
    let plan = json!({"items": [
        {"key": "a", "prompt": "Write one line"}, {"key": "b", "prompt": "Write another", "depends_on": ["a"]}]});
    server.rest.post("/api/session/plan", json!({"session_id": begun["id"], "plan": plan})).await;
    let done = until_status(&server, "done").await;
    let works: Vec<_> =
        done["items"].as_array().expect("items").iter().filter(|item| item["kind"] == "work").collect();
    assert_eq!((works.len(), &works[1]["key"]), (2, &json!("b")), "{done}");
    assert_eq!(server.rest.refused("/api/session/plan", json!({})).await, (409, "session_conflict".into()));
    let workspace = std::path::PathBuf::from(done["workspace"].as_str().expect("a folder"));
    let log = std::fs::read_to_string(workspace.join("orchestrator.log")).expect("its log");
    assert!(log.contains("the session begins") && log.contains("the session ends"), "{log}");
    assert_eq!(place.applied(), "hello\nhello\n");
}

#[tokio::test]
async fn an_agents_plan_waits_for_a_person_who_agrees_on_the_page_while_the_command_waits() {
    let place = Place::make();
    let server = place.up();
    place.let_go();
    let args = [
        "orchestrate",
        "--yes",
        "--agents",
        "codex",
        "--decomposer",
        "llm",
        "--revise-plan=page",
        "--target",
    ];
    let mut command =
        place.command(&[&args[..], &[crate::process::text(&place.target), "Write it"]].concat());
    let command = command.stdout(std::process::Stdio::piped()).spawn().expect("the binary runs");
    let page = until("the page shows it", || async {
        let answer = reqwest::get(format!("{}/plan", server.rest.url)).await.expect("an answer");
        if answer.status() == 200 { Some(answer.text().await.expect("a page")) } else { None }
    })
    .await;
    assert!(page.contains("Write hello") && page.contains("Begin with this plan"), "{page}");
    server.rest.post("/api/session/plan", json!({})).await;
    let ended = crate::process::ended(command.wait_with_output().expect("its end"));
    assert_eq!(ended.status, Some(0), "{ended:?}");
    assert!(ended.stdout.contains("its plan waits for a person"), "{ended:?}");
    assert_eq!(place.applied(), "hello\nhello\n");
}

#[tokio::test]
async fn asked_twice_with_one_key_it_begins_once() {
    let place = Place::make();
    let server = place.up();
    place.let_go();
    let post = async |wish: &Value| {
        let request = reqwest::Client::new().post(format!("{}/api/sessions", server.rest.url));
        let answer = request.header("idempotency-key", "k").json(wish).send().await.expect("an answer");
        (answer.status().as_u16(), answer.json::<Value>().await.expect("JSON"))
    };
    let wish = place.wish(&["codex"]);
    let ((first, one), (second, other)) = tokio::join!(post(&wish), post(&wish));
    assert_eq!((first, second, &one["id"]), (201, 201, &other["id"]));
    let (status, problem) = post(&place.wish(&["claude"])).await;
    assert_eq!((status, &problem["code"]), (422, &json!("idempotency_key_reused")));
    until_status(&server, "done").await;
    assert_eq!(server.rest.get("/api/sessions").await.as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_server_that_was_killed_goes_on_with_its_sessions() {
    let place = Place::make();
    let server = place.up();
    let begun = server.rest.post("/api/sessions", place.wish(&["codex"])).await;
    place.until_begun().await;
    server.process.kill();
    let server = place.up();
    until("it is pursued again", || async {
        (server.rest.get("/api/session").await["is_pursued"] == true).then_some(())
    })
    .await;
    place.let_go();
    let done = until_status(&server, "done").await;
    assert_eq!(done["id"], begun["id"]);
    assert_eq!(place.applied(), "hello\n");
}

#[tokio::test]
async fn a_server_that_ends_in_order_lets_go_and_goes_on_later() {
    let place = Place::make();
    let server = place.up();
    server.rest.post("/api/sessions", place.wish(&["codex"])).await;
    place.until_begun().await;
    server.process.signal("TERM");
    server.process.signal("TERM");
    assert!(server.process.wait().success());
    let listed = place.home.run(&["session", "list"]).good();
    assert!(listed.contains("running"), "{listed}");
    place.let_go();
    let server = place.up();
    until_status(&server, "done").await;
    assert_eq!(place.applied(), "hello\n");
}

#[tokio::test]
async fn people_hold_a_session_let_it_go_on_and_have_it_reviewed_again() {
    let place = Place::make();
    let server = place.up();
    server.rest.post("/api/sessions", place.wish(&["codex", "claude"])).await;
    place.until_begun().await;
    server.rest.post("/api/control/pause", json!({})).await;
    until_status(&server, "paused").await;
    place.let_go();
    server.rest.post("/api/control/resume", json!({})).await;
    let done = until_status(&server, "done").await;
    assert_eq!(done["decisions"].as_array().map(Vec::len), Some(1));
    assert_eq!(server.rest.refused("/api/control/pause", json!({})).await, (409, "session_conflict".into()));
    server.rest.post("/api/control/review", json!({"worker": "codex"})).await;
    until("it is reviewed again", || async {
        let session = server.rest.get("/api/session").await;
        let is_decided = session["decisions"].as_array().map(Vec::len) == Some(2);
        (is_decided && session["status"] == "done").then_some(())
    })
    .await;
    let reviews = server.rest.get("/api/reviews").await;
    let keys: Vec<_> =
        reviews.as_array().expect("a list").iter().map(|review| review["key"].clone()).collect();
    assert_eq!(keys, ["1.review.claude", "1.review-2.claude"]);
    let workspace = std::path::PathBuf::from(done["workspace"].as_str().expect("a folder"));
    let mirrored = std::fs::read(workspace.join("reviews/1.review-2.claude.json")).expect("the review");
    let mirrored: Value = serde_json::from_slice(&mirrored).expect("JSON");
    assert_eq!(
        (&mirrored["reviewer"], &mirrored["about"], &mirrored["verdict"]["verdict"]),
        (&json!("claude"), &json!("1"), &json!("approved"))
    );
    assert_eq!(place.applied(), "hello\n", "nothing was merged twice");
    for kind in ["begun", "paused", "resumed", "ended"] {
        let event = server.rest.event(&format!("session.{kind}")).await;
        assert_eq!(event["payload"]["session_id"], done["id"], "{event}");
    }
}

#[tokio::test]
async fn a_session_that_is_pursued_beside_the_server_is_told_of_there() {
    let place = Place::make();
    let server = place.up();
    let plan = place.home.path("plan.json");
    let items = json!({"items": [
        {"key": "a", "prompt": "Write once it may", "on_error": "stop", "retry": {"attempts": 1}}]});
    std::fs::write(&plan, items.to_string()).expect("a file");
    let flags = ["--agents", "codex", "--yes", "--plan", crate::process::text(&plan)];
    let ended = place.orchestrate("Write it", &flags, &[]);
    assert_eq!(ended.status, Some(3), "{ended:?}");
    let stopped = server.rest.event("session.stopped").await;
    let why = stopped["payload"]["why"].as_str().unwrap_or_default();
    assert!(why.contains("the plan says to stop then"), "{stopped}");
}

#[tokio::test]
async fn what_cannot_begin_says_why_and_leaves_nothing() {
    let place = Place::make();
    let server = place.up();
    let target = place.target.clone();
    let data = place.home.data();
    for (wish, why) in [
        (
            json!({"goal": "Write it", "target": "/nowhere/at/all", "agents": ["codex"]}),
            "target: /nowhere/at/all",
        ),
        (json!({"goal": "Write it", "target": target, "agents": ["clod"]}), "there is no agent"),
        (json!({"goal": "Write it", "target": target, "plan": {"items": []}}), "plan: items is empty"),
        (json!({"goal": "Write it", "target": target, "decomposer": "llm"}), "decomposer llm: "),
        (json!({"goal": "Write it", "target": data, "agents": ["codex"]}), "the server's own data folder"),
        (
            json!({"goal": "Write it", "target": data.parent(), "agents": ["codex"]}),
            "the server's own data folder",
        ),
    ] {
        let (status, problem) =
            server.rest.call("POST", "/api/sessions", Some(wish)).await.expect("an answer");
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert!(status == 422 && detail.contains(why), "{status} {problem}");
    }
    assert_eq!(server.rest.get("/api/sessions").await, json!([]));
    assert_eq!(server.rest.refused("/api/control/stop", json!({})).await.0, 404);
}
