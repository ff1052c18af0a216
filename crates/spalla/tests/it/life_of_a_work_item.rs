//! A work item from its making to its end: by hand over plain HTTP, and by the embedded worker.

use crate::databases::{Database, on_both};
use crate::process::{Home, Server, Setup, text};
use crate::repository;
use crate::rest::{Rest, id};
use serde_json::{Value, json};
use std::collections::HashMap;

on_both!(
    a_session_by_hand_starts_nothing_before_its_dependencies_and_everything_once,
    a_recipe_runs_in_a_worktree_and_leaves_the_persons_checkout_alone,
    a_rejected_approval_holds_its_item_for_ever,
);

/// The work of the session by hand: title, and what each waits for.
const PIECES: [(&str, &[&str]); 7] = [
    ("design", &[]),
    ("schema", &["design"]),
    ("backend", &["schema"]),
    ("frontend", &["design"]),
    ("integration", &["backend", "frontend"]),
    ("staging", &["integration"]),
    ("production", &["staging"]),
];

async fn a_session_by_hand_starts_nothing_before_its_dependencies_and_everything_once(database: Database) {
    let home = Home::new();
    let env = [("ORCH_SCHEDULER_BACKGROUND_INTERVAL", "0")];
    let server = Server::start(
        &home,
        &Setup { database: &database, args: &["up", "--auth", "none", "--no-worker"], env: &env },
    );
    let rest = &server.rest;
    let project = rest.project(None).await;
    let mut items = HashMap::new();
    for (title, _) in PIECES {
        items.insert(
            title,
            rest.item(json!({"project_id": project, "title": title, "executor": "external"})).await,
        );
    }
    let approvals = ask_for_approvals(rest, &[items["staging"], items["production"]]).await;
    enqueue_all(rest, &items).await;

    let mut done: Vec<&str> = Vec::new();
    let mut undecided = approvals;
    while done.len() < PIECES.len() {
        let answer = rest.post("/scheduler/tick", json!({})).await;
        let started = answer["started"].as_array().cloned().unwrap_or_default();
        if started.is_empty() {
            let approval =
                undecided.pop().unwrap_or_else(|| panic!("nothing starts after {done:?}: {answer}"));
            rest.post(&format!("/work-items/approvals/{approval}/approve"), json!({"by": "me"})).await;
        }
        for run in started {
            let (title, waits_for) = piece(&items, &run["work_item_id"]);
            let unmet: Vec<&&str> = waits_for.iter().filter(|other| !done.contains(*other)).collect();
            assert!(unmet.is_empty(), "{title} started before {unmet:?}");
            rest.post(&format!("/work-items/runs/{}/complete?success=true", run["run_id"]), json!({})).await;
            done.push(title);
        }
    }
    assert!(undecided.is_empty(), "an approval held nothing");
    for (title, item) in items {
        let runs = rest.runs(item).await;
        assert_eq!(runs.len(), 1, "{title}: {runs:?}");
        assert_eq!(
            (runs[0]["status"].as_str(), rest.status(item).await.as_str()),
            (Some("succeeded"), "succeeded")
        );
        let log = rest.log(id(&runs[0])).await;
        assert!(log.lines().any(|line| line.starts_with("Starting run ")), "{title}: {log}");
    }
    let again = rest.post("/scheduler/tick", json!({})).await;
    assert_eq!(again["started"], json!([]));
}

async fn ask_for_approvals(rest: &Rest, items: &[i64]) -> Vec<i64> {
    let mut approvals = Vec::new();
    for item in items {
        let approval = rest.post(&format!("/work-items/{item}/approvals"), json!({"kind": "deploy"})).await;
        approvals.insert(0, id(&approval));
        let (status, code) = rest.refused(&format!("/work-items/{item}/start"), json!({})).await;
        assert_eq!((status, code.as_str()), (409, "approval_pending"));
    }
    approvals
}

/// One call for each dependency, so that the item with two of them is enqueued twice.
async fn enqueue_all(rest: &Rest, items: &HashMap<&str, i64>) {
    let mut calls = 0;
    for (title, waits_for) in PIECES {
        let mut bodies: Vec<Value> = waits_for
            .iter()
            .map(|other| json!({"work_item_id": items[title], "depends_on_work_item_id": items[other]}))
            .collect();
        if bodies.is_empty() {
            bodies.push(json!({"work_item_id": items[title]}));
        }
        for body in bodies {
            rest.post("/scheduler/enqueue", body).await;
            calls += 1;
        }
    }
    assert_eq!(calls, 8);
    assert_eq!(rest.get("/scheduler/queue").await.as_array().map(Vec::len), Some(7));
}

fn piece(items: &HashMap<&str, i64>, item: &Value) -> (&'static str, &'static [&'static str]) {
    let known = PIECES.into_iter().find(|(title, _)| Some(items[title]) == item.as_i64());
    known.unwrap_or_else(|| panic!("work item {item} is none of ours"))
}

async fn a_recipe_runs_in_a_worktree_and_leaves_the_persons_checkout_alone(database: Database) {
    let home = Home::new();
    let checkout = home.path("checkout");
    repository::make(&checkout);
    let (before, status) =
        (repository::picture(&checkout), repository::git(&checkout, &["status", "--porcelain"]));
    let server = Server::up(&home, &database);
    let rest = &server.rest;
    let project = rest.project(Some(text(&checkout))).await;
    let steps = [
        "cat src/main.rs",
        "pwd > where.txt && git checkout --quiet -b mine && git add --all",
        "echo done >&2",
    ];
    let first = rest.queued(project, "first", &steps, &[]).await;
    let second = rest.queued(project, "second", &["test ! -e where.txt"], &[first]).await;
    rest.until_status(second, "succeeded").await;
    let run = &rest.runs(first).await[0];
    let log = rest.log(id(run)).await;
    for wanted in ["    println!(\"hello\");", "done"] {
        assert!(log.lines().any(|line| line == wanted), "{wanted} is missing in {log}");
    }
    assert_eq!((run["exit_code"].as_i64(), run["attempt"].as_i64()), (Some(0), Some(1)));
    assert_eq!(repository::git(&checkout, &["status", "--porcelain"]), status);
    assert_eq!(repository::picture(&checkout), before);
}

async fn a_rejected_approval_holds_its_item_for_ever(database: Database) {
    let home = Home::new();
    let server = Server::up(&home, &database);
    let rest = &server.rest;
    let project = rest.project(None).await;
    let item =
        rest.item(json!({"project_id": project, "title": "held", "recipe": "steps: [\"true\"]"})).await;
    let approval = id(&rest.post(&format!("/work-items/{item}/approvals"), json!({})).await);
    rest.enqueue(item).await;
    rest.post(&format!("/work-items/approvals/{approval}/reject"), json!({"note": "no"})).await;
    let next = rest.queued(project, "next", &["true"], &[]).await;
    rest.until_status(next, "succeeded").await;
    rest.post("/scheduler/tick", json!({})).await;
    assert_eq!(rest.runs(item).await, [] as [Value; 0]);
    let (status, code) = rest.refused(&format!("/work-items/approvals/{approval}/approve"), json!({})).await;
    assert_eq!((status, code.as_str()), (409, "already_decided"));
}
