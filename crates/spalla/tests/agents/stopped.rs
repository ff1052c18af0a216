//! What stops an agent, and who goes on.

use crate::workshop::Workshop;
use crate::world::LIMIT;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::ChildStdout;

#[tokio::test]
async fn at_a_quota_wall_the_next_agent_goes_on_in_the_same_worktree_and_the_first_is_not_called_again() {
    let workshop = Workshop::new(json!([
        { "when": { "provider": "anthropic", "user": "You review another agent" }, "then": [
            { "json": { "verdict": "approved", "severity": "low", "text": "fine" } },
        ] },
        { "when": { "provider": "openai" }, "then": [
            { "write": { "path": "half.txt", "text": "half\n" } },
            { "fail": { "kind": "usage_limit", "retry_after_seconds": 7_200 } },
        ] },
        { "when": { "user": "worked on this task before you" }, "then": [
            { "run": "cat half.txt > whole.txt && echo rest >> whole.txt" },
            { "say": "Finished." },
        ] },
    ]));
    let done = workshop.orchestrate("codex,claude", "Add whole.txt").await;
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.stdout.contains("at their limits: codex until"), "the tier is reckoned anew: {done:?}");
    let session = workshop.session().await;
    let result = &session["items"][0]["runs"][0]["result"];
    assert_eq!(result["agent"], "claude", "{session}");
    assert_eq!(result["recoveries"][0]["action"], "next_agent", "{session}");
    assert_eq!(result["recoveries"][0]["cause"], "quota", "{session}");

    let asked_of_codex = workshop.world.asked().iter().filter(|entry| entry.key == "key-of-openai").count();
    let again = workshop.orchestrate("codex,claude", "Add whole.txt once more").await;
    assert!(
        again.stdout.contains("1. Add whole.txt once more (claude)"),
        "nothing is given to it: {again:?}"
    );
    let asked_since = workshop.world.asked().iter().filter(|entry| entry.key == "key-of-openai").count();
    assert_eq!(asked_since, asked_of_codex, "the first agent was called again before its limit ended");

    let applied = workshop.spalla(&["session", "list"]).await;
    assert_eq!(applied.code, Some(0), "{applied:?}");
}

#[tokio::test]
async fn a_key_that_is_refused_is_said_with_what_to_do() {
    let workshop = Workshop::new(json!([{ "then": [{ "fail": { "kind": "unauthorized" } }] }]));
    let done = workshop.orchestrate("claude", "Add a file").await;
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.stdout.contains("can't go on without a person"), "{done:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_whose_process_is_killed_goes_on_where_it_was() {
    let workshop = Workshop::new(json!([
        { "when": { "user": "alpha" }, "then": [
            { "write": { "path": "alpha.txt", "text": "a\n" } },
            { "say": "It is written." },
        ] },
        { "when": { "user": "beta" }, "then": [
            { "write": { "path": "beta.txt", "text": "b\n" } },
            { "delay_ms": 3_000 },
            { "say": "It is written." },
        ] },
    ]));
    let before = workshop.state();
    let mut killed = workshop.orchestration("codex", "- Add alpha.txt\n- Add beta.txt\n").spawn().unwrap();
    // Both are under way once both were asked.
    let is_begun = tokio::task::block_in_place(|| {
        workshop
            .world
            .model
            .wait_for(LIMIT, |asked| asked.iter().filter(|entry| entry.dialect.is_some()).count() >= 3)
    });
    assert!(is_begun, "{:?}", workshop.world.answers());
    killed.kill().await.unwrap();
    assert_eq!(workshop.state(), before);
    let resumed = workshop.spalla(&["session", "resume", "latest"]).await;
    assert_eq!(resumed.code, Some(0), "{resumed:?}");
    let applied = workshop.spalla(&["session", "apply", "latest", "--yes"]).await;
    assert_eq!(applied.code, Some(0), "{applied:?}");
    assert_eq!(workshop.file("alpha.txt").as_deref(), Some("a\n"));
    assert_eq!(workshop.file("beta.txt").as_deref(), Some("b\n"));
    assert_eq!(
        workshop.git(&["log", "--format=%s", "--grep=Add "]).lines().count(),
        2,
        "something was merged twice"
    );
    workshop.world.is_deserted().await;
}

/// A session whose agent is at work and takes its time.
fn slow() -> Workshop {
    Workshop::new(json!([{ "then": [
        { "write": { "path": "alpha.txt", "text": "a\n" } },
        { "delay_ms": 4_000 },
        { "say": "It is written." },
    ] }]))
}

/// Reads what a session says until a line begins so.
async fn until_said(lines: &mut Lines<BufReader<ChildStdout>>, beginning: &str) {
    let said = async {
        loop {
            let line = lines.next_line().await.unwrap().unwrap_or_else(|| panic!("never said: {beginning}"));
            if line.starts_with(beginning) {
                return;
            }
        }
    };
    tokio::time::timeout(LIMIT, said).await.unwrap_or_else(|_| panic!("not said in time: {beginning}"));
}

#[tokio::test]
async fn a_session_that_a_person_pauses_goes_on_when_they_say_so() {
    let workshop = slow();
    let mut child = workshop.orchestration("codex", "Add alpha.txt").spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    until_said(&mut lines, "[1] [status] Codex CLI begins").await;
    let paused = workshop.spalla(&["session", "pause", "latest"]).await;
    assert_eq!(paused.code, Some(0), "{paused:?}");
    until_said(&mut lines, "paused;").await;
    assert_eq!(workshop.session().await["status"], "paused");
    let resumed = workshop.spalla(&["session", "resume", "latest"]).await;
    assert!(resumed.stdout.contains("another process, which goes on"), "{resumed:?}");
    until_said(&mut lines, "session: ").await;
    assert_eq!(child.wait().await.unwrap().code(), Some(0));
    assert_eq!(workshop.session().await["status"], "done");
}

#[tokio::test]
async fn a_session_that_a_person_stops_ends_with_its_agents() {
    let workshop = slow();
    let mut child = workshop.orchestration("codex", "Add alpha.txt").spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    until_said(&mut lines, "[1] [status] Codex CLI begins").await;
    workshop.spalla(&["session", "stop", "latest"]).await;
    until_said(&mut lines, "session: ").await;
    assert_eq!(child.wait().await.unwrap().code(), Some(3));
    assert_eq!(workshop.session().await["status"], "stopped");
    workshop.world.is_deserted().await;
    let resumed = workshop.spalla(&["session", "resume", "latest"]).await;
    assert_eq!(resumed.code, Some(0), "what was stopped may go on: {resumed:?}");
}
