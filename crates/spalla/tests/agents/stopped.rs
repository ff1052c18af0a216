//! What stops an agent, and who goes on.

use crate::workshop::Workshop;
use crate::world::LIMIT;
use serde_json::json;

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
    let session = workshop.session().await;
    let result = &session["items"][0]["runs"][0]["result"];
    assert_eq!(result["agent"], "claude", "{session}");
    assert_eq!(result["recoveries"][0]["action"], "next_agent", "{session}");
    assert_eq!(result["recoveries"][0]["cause"], "quota", "{session}");

    let asked_of_codex = workshop.world.asked().iter().filter(|entry| entry.key == "key-of-openai").count();
    let again = workshop.orchestrate("codex,claude", "Add whole.txt once more").await;
    assert!(again.stdout.contains("Codex CLI is not called: its limit ends at"), "{again:?}");
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
