//! One goal of several pieces, several agents.

use crate::workshop::Workshop;
use serde_json::{Value, json};

fn writes(word: &str, path: &str, text: &str) -> Value {
    json!({ "when": { "user": word }, "then": [
        { "write": { "path": path, "text": text, "replaces": true } },
        { "say": "It is written." },
    ] })
}

#[tokio::test]
async fn three_pieces_are_done_by_three_agents_merged_and_applied() {
    let workshop = Workshop::new(json!([
        writes("alpha", "alpha.txt", "a\n"),
        writes("beta", "beta.txt", "b\n"),
        writes("gamma", "gamma.txt", "c\n"),
    ]));
    let before = workshop.state();
    let done = workshop
        .orchestrate("codex,claude,gemini", "- Add alpha.txt\n- Add beta.txt\n- Add gamma.txt\n")
        .await;
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.stdout.starts_with("tier 1: "), "{done:?}");
    assert_eq!(workshop.state(), before);
    let session = workshop.session().await;
    let agents: Vec<_> = session["items"].as_array().unwrap().iter().map(|item| item["agent"].clone()).collect();
    assert_eq!(agents, ["codex", "integrator", "claude", "integrator", "gemini", "integrator"], "{session}");
    let applied = workshop.spalla(&["session", "apply", "latest", "--yes"]).await;
    assert_eq!(applied.code, Some(0), "{applied:?}");
    for (name, text) in [("alpha.txt", "a\n"), ("beta.txt", "b\n"), ("gamma.txt", "c\n")] {
        assert_eq!(workshop.file(name).as_deref(), Some(text), "{applied:?}");
    }
}

#[tokio::test]
async fn a_change_that_conflicts_is_given_back_to_its_agent_which_does_it_on_what_was_merged() {
    let again = json!({ "when": { "user": "could not be merged" }, "then": [
        { "run": "echo both >> notes.txt" },
        { "say": "Now it fits." },
    ] });
    let edit = |word: &str, text: &str| {
        json!({ "when": { "user": word }, "then": [
            { "run": format!("echo {text} > notes.txt") },
            { "say": "It is written." },
        ] })
    };
    let workshop = Workshop::new(json!([again, edit("alpha", "alpha"), edit("beta", "beta")]));
    let done = workshop.orchestrate("codex,claude", "- Put alpha into notes.txt\n- Put beta into notes.txt\n").await;
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.stdout.contains("is given back to"), "{done:?}");
    let applied = workshop.spalla(&["session", "apply", "latest", "--yes"]).await;
    assert_eq!(applied.code, Some(0), "{applied:?}");
    let notes = workshop.file("notes.txt").unwrap();
    assert!(notes.ends_with("both\n") && notes.lines().count() == 2, "{notes}");
}

#[tokio::test]
async fn a_change_that_breaks_the_build_is_not_merged() {
    let workshop = Workshop::new(json!([{ "then": [
        { "run": "printf 'test:\\n\\tfalse\\n' > Makefile" },
        { "say": "It is written." },
    ] }]));
    std::fs::write(workshop.target().join("Makefile"), "test:\n\ttrue\n").unwrap();
    workshop.git(&["add", "--all"]);
    workshop.git(&["commit", "--quiet", "--message", "Test"]);
    let done = workshop.orchestrate("codex", "Change the Makefile").await;
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.stdout.contains("the change does not pass"), "{done:?}");
    let applied = workshop.spalla(&["session", "apply", "latest", "--yes"]).await;
    assert!(applied.stdout.contains("nothing"), "{applied:?}");
    assert_eq!(workshop.file("Makefile").as_deref(), Some("test:\n\ttrue\n"));
}
