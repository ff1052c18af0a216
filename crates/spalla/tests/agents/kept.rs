//! Processes of the real CLIs that serve one run after another.

use crate::workshop::{Done, Workshop};
use crate::world::LIMIT;
use serde_json::{Value, json};
use std::time::Duration;

/// How many of a kind are kept.
const KEPT: (&str, &str) = ("SPALLA_POOL_SIZE", "2");
/// The CLIs, and what each of them calls the tool that shows the work item of a run's token. Codex offers its tools only to
/// whoever searches for them.
const CLIS: [(&str, Option<&str>); 3] = [
    ("codex", None),
    ("claude", Some("mcp__spalla__spalla_get_item")),
    ("gemini", Some("mcp_spalla_spalla_get_item")),
];

/// What a run does with the tools of the server: asks for its own item, or else waits until there is a program for it, which
/// has a token that none before had.
fn asks(tool: Option<&str>, number: u32) -> Value {
    let tokens =
        "cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' | grep ^SPALLA_API_TOKEN= | sort -u | wc -l";
    match tool {
        Some(tool) => json!({ "call": { "tool": tool, "arguments": {} } }),
        None => json!({ "run": format!("until [ $({tokens}) -ge {number} ]; do sleep 0.1; done; {tokens}") }),
    }
}

/// Pursues two pieces, one after the other.
async fn one_after_the_other(workshop: &Workshop, name: &str) -> Done {
    let plan = workshop.world.work().join("plan.json");
    let items = json!({ "items": [
        { "key": "first", "title": "The piece before", "prompt": "Do the first step", "agent": name },
        { "key": "second", "title": "The piece after", "prompt": "Do the second step", "agent": name, "depends_on": ["first"] },
    ] });
    std::fs::write(&plan, items.to_string()).unwrap();
    let mut command = workshop.command(&["orchestrate", "--agents", name, "--port", "0", "--yes", "Both"]);
    command.arg("--target").arg(workshop.target()).arg("--plan").arg(&plan).env(KEPT.0, KEPT.1);
    workshop.end_of(command).await
}

/// What the tool answered in a conversation that has these words in it.
fn told(workshop: &Workshop, words: &str) -> String {
    let asked = workshop.world.asked();
    let of_it = asked.iter().filter(|entry| entry.user.contains(words));
    of_it.flat_map(|entry| entry.results.clone()).collect()
}

#[tokio::test]
async fn each_cli_does_one_run_after_another_with_the_same_process_and_each_by_its_own_token() {
    for (name, tool) in CLIS {
        let workshop = Workshop::new(json!([
            { "when": { "user": "second step" }, "then": [
                asks(tool, 2),
                { "run": "cat first.txt > second.txt && echo second >> second.txt" },
                { "say": "It is written." },
            ] },
            { "then": [
                asks(tool, 1),
                { "write": { "path": "first.txt", "text": "first\n" } },
                { "say": "It is written." },
            ] },
        ]));
        let done = one_after_the_other(&workshop, name).await;
        assert_eq!(done.code, Some(0), "{name}: {done:?}");
        assert!(done.stdout.contains("begins with a process that was there"), "{name}: {done:?}");
        for (step, own, other) in [("first step", "before", "after"), ("second step", "after", "before")] {
            let told = told(&workshop, step);
            if tool.is_none() {
                continue;
            }
            let is_own =
                told.contains(&format!("The piece {own}")) && !told.contains(&format!("The piece {other}"));
            assert!(is_own, "{name}, {step}: {told} {:?}", workshop.world.asked());
        }
        workshop.spalla(&["session", "apply", "latest", "--yes"]).await;
        assert_eq!(workshop.file("second.txt").as_deref(), Some("first\nsecond\n"), "{name}");
        workshop.world.is_deserted().await;
    }
}

#[tokio::test]
async fn work_is_looked_at_where_it_is_and_its_agent_goes_on() {
    let look = json!({ "verdict": "approved", "severity": "low", "text": "Half of it is good." });
    let workshop = Workshop::new(json!([
        { "when": { "user": "You look at another agent's work" }, "then": [
            { "run": "cat half.txt" },
            { "json": look },
        ] },
        { "when": { "user": "You review another agent" }, "then": [{ "json": look }] },
        { "then": [
            { "write": { "path": "half.txt", "text": "the first half\n" } },
            { "call": { "tool": "mcp__spalla__spalla_emit", "arguments": {
                "type": "blocker", "payload": { "text": "Is this the way?" } } } },
            { "run": "until [ -e seen ]; do sleep 0.1; done; rm seen; cat half.txt > whole.txt" },
            { "say": "It is written." },
        ] },
    ]));
    let mut command =
        workshop.command(&["orchestrate", "--agents", "claude,codex", "--port", "0", "--yes", "Write"]);
    command.arg("--target").arg(workshop.target()).env(KEPT.0, KEPT.1);
    let child = command.spawn().unwrap();
    until("the look is told", || async {
        let session = workshop.spalla(&["session", "show", "latest", "--json"]).await;
        session.stdout.contains("Half of it is good.").then_some(())
    })
    .await;
    let seats = std::fs::read_dir(workshop.data().join("pool")).unwrap().flatten();
    let seat = seats.map(|seat| seat.path().join("work")).find(|work| work.join("half.txt").is_file());
    std::fs::write(seat.expect("a seat with the work").join("seen"), "").unwrap();
    let done = tokio::time::timeout(LIMIT, child.wait_with_output()).await.unwrap().unwrap();
    assert!(done.status.success(), "{done:?}");
    assert!(told(&workshop, "You look at").contains("the first half"), "{:?}", workshop.world.asked());
    workshop.spalla(&["session", "apply", "latest", "--yes"]).await;
    assert_eq!(workshop.file("whole.txt").as_deref(), Some("the first half\n"));
    workshop.world.is_deserted().await;
}

#[tokio::test]
async fn a_program_that_is_killed_leaves_no_process_neither_one_at_work_nor_one_that_waits() {
    let workshop = Workshop::new(json!([
        { "when": { "user": "You review another agent" }, "then": [
            { "json": { "verdict": "approved", "severity": "low", "text": "Good." } },
        ] },
        { "when": { "user": "second step" }, "then": [{ "run": "until [ -e never ]; do sleep 0.1; done" }] },
        { "then": [{ "write": { "path": "first.txt", "text": "first\n" } }, { "say": "It is written." }] },
    ]));
    let plan = workshop.world.work().join("plan.json");
    let items = json!({ "items": [
        { "key": "first", "prompt": "Do the first step", "agent": "gemini" },
        { "key": "second", "prompt": "Do the second step", "agent": "claude", "depends_on": ["first"] },
    ] });
    std::fs::write(&plan, items.to_string()).unwrap();
    let mut command = workshop.orchestration("gemini,claude", "Both");
    command.arg("--plan").arg(&plan).env(KEPT.0, KEPT.1);
    let mut child = command.spawn().unwrap();
    until("the second agent works", || async {
        workshop.world.asked().iter().any(|entry| entry.user.contains("second step")).then_some(())
    })
    .await;
    child.kill().await.unwrap();
    workshop.world.is_deserted().await;
}

/// Asks until something is so.
async fn until<T>(what: &str, mut asked: impl AsyncFnMut() -> Option<T>) -> T {
    let found = async {
        loop {
            if let Some(found) = asked().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(2 * LIMIT, found).await.unwrap_or_else(|_| panic!("waited in vain until {what}"))
}
