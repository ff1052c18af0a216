//! Sessions that a server is asked for, with the real binary: agents are played by scripts, all else is as it is.

use crate::databases::Database;
use crate::process::{Home, Server, Setup, text, until};
use crate::repository;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

/// Codex, as it is called and heard: once it may go, it writes a line; it approves of what others wrote.
const CODEX: &str = r#"#!/bin/sh
case "$*" in
*--version*) echo "codex-cli 0.169.0"; exit ;;
*--help*) echo "--json --skip-git-repo-check --dangerously-bypass-approvals-and-sandbox --add-dir --output-schema"; exit ;;
esac
prompt=$(cat)
echo '{"type":"thread.started","thread_id":"thread"}'
text=written
case "$prompt" in
"You review"*) text='{\"verdict\":\"approved\",\"severity\":\"low\",\"text\":\"good\"}' ;;
*)
    touch SHARED/begun
    while [ ! -e SHARED/go ]; do sleep 0.05; done
    echo hello >>hello.txt
    ;;
esac
printf '{"type":"item.completed","item":{"id":"item_0","type":"agent_message","text":"%s"}}\n' "$text"
echo '{"type":"turn.completed","usage":{"input_tokens":10,"cached_input_tokens":0,"output_tokens":2}}'
"#;

/// Claude Code, that approves of everything.
const CLAUDE: &str = r#"#!/bin/sh
case "$*" in
*--version*) echo "2.1.328 (Claude Code)"; exit ;;
*--help*) echo "--print --verbose --output-format --strict-mcp-config --dangerously-skip-permissions --add-dir"; exit ;;
esac
cat >/dev/null
echo '{"type":"system","subtype":"init","session_id":"session","model":"none"}'
text='{\"verdict\":\"approved\",\"severity\":\"low\",\"text\":\"good\"}'
printf '{"type":"result","subtype":"success","is_error":false,"result":"%s","session_id":"session"}\n' "$text"
"#;

/// A machine with agents and a repository.
struct Place {
    home: Home,
    target: PathBuf,
}

impl Place {
    fn make() -> Self {
        let home = Home::new();
        let target = home.path("target");
        repository::make(&target);
        fs::create_dir(home.path("agents")).expect("a folder");
        for (name, script) in [("codex", CODEX), ("claude", CLAUDE)] {
            let path = home.path("agents").join(name);
            fs::write(&path, script.replace("SHARED", text(&home.path("shared")))).expect("a script");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("its mode");
        }
        Self { home, target }
    }

    fn up(&self) -> Server {
        let path = format!(
            "{}:{}",
            text(&self.home.path("agents")),
            std::env::var("PATH").expect("there is a PATH")
        );
        let env = [("PATH", path.as_str()), ("ORCH_BACKOFF_BASE_SECONDS", "0.05"), ("AGENT_CLAIM_TTL", "2")];
        let args = ["up", "--auth", "none", "--concurrency", "4"];
        Server::start(&self.home, &Setup { database: &Database::Sqlite, args: &args, env: &env })
    }

    fn wish(&self, agents: &[&str]) -> Value {
        json!({"goal": "Write hello.txt", "target": self.target, "agents": agents})
    }

    fn let_go(&self) {
        fs::write(self.home.shared("go"), "").expect("a file");
    }

    async fn until_begun(&self) {
        let begun = self.home.shared("begun");
        until("the agent works", || async { begun.exists().then_some(()) }).await;
    }

    /// Brings it into the target, and returns what the agent wrote there.
    fn applied(&self) -> String {
        self.home.run(&["session", "apply", "latest", "--yes"]).good();
        fs::read_to_string(self.target.join("hello.txt")).expect("the file")
    }
}

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
        (&json!("running"), &json!(5), &json!(true))
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
    assert_eq!(place.applied(), "hello\n", "nothing was merged twice");
}

#[tokio::test]
async fn what_cannot_begin_says_why_and_leaves_nothing() {
    let place = Place::make();
    let server = place.up();
    let target = place.target.clone();
    for (wish, why) in [
        (
            json!({"goal": "Write it", "target": "/nowhere/at/all", "agents": ["codex"]}),
            "target: /nowhere/at/all",
        ),
        (json!({"goal": "Write it", "target": target, "agents": ["clod"]}), "there is no agent"),
        (json!({"goal": "Write it", "target": target, "plan": {"items": []}}), "plan: items is empty"),
    ] {
        let (status, problem) =
            server.rest.call("POST", "/api/sessions", Some(wish)).await.expect("an answer");
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert!(status == 422 && detail.contains(why), "{status} {problem}");
    }
    assert_eq!(server.rest.get("/api/sessions").await, json!([]));
    assert_eq!(server.rest.refused("/api/control/stop", json!({})).await.0, 404);
}
