//! Workers of their own, several servers on one database, and workers that come too late.

use crate::databases::{Database, on_both};
use crate::process::{Home, Server, Setup, text, until, worker};
use crate::rest::{Rest, id, string};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

on_both!(
    a_worker_that_lost_its_lease_leaves_no_trace,
    a_killed_workers_run_is_taken_over,
    a_worker_told_to_go_finishes_what_it_has,
    a_command_waits_for_a_yes_without_a_worker_and_then_runs,
    a_worker_that_may_not_read_answers_says_so_before_anybody_gives_them,
);

fn serve(home: &Home, database: &Database) -> Server {
    Server::start(home, &Setup { database, args: &["serve", "--auth", "none"], env: &[] })
}

async fn claim(rest: &Rest, worker: &str, ttl_seconds: f64) -> Value {
    let body = json!({"worker_id": worker, "max": 1, "wait_seconds": 30, "ttl_seconds": ttl_seconds});
    let answer = rest.post("/scheduler/claim", body).await;
    answer["runs"].get(0).cloned().unwrap_or_else(|| panic!("{worker} got nothing: {answer}"))
}

async fn a_worker_that_lost_its_lease_leaves_no_trace(database: Database) {
    let home = Home::new();
    let server = serve(&home, &database);
    let rest = &server.rest;
    let project = rest.project(None).await;
    let item = rest.queued(project, "contested", &["true"], &[]).await;
    let late = claim(rest, "late", 0.2).await;
    let (run, old) =
        (late["run_id"].as_i64().expect("a run"), late["fencing_token"].as_i64().expect("a token"));
    assert_eq!(rest.append_text(run, old, "written in time\n").await.0, 200);
    // Answered only when the lease of the other is over.
    let heir = claim(rest, "heir", 60.0).await;
    let new = heir["fencing_token"].as_i64().expect("a token");
    assert!(heir["run_id"] == run && new > old, "{late} {heir}");

    let stale = (409, "stale_token".to_owned());
    let path = |verb: &str| format!("/work-items/runs/{run}/{verb}");
    assert_eq!(rest.append_text(run, old, "written too late\n").await, stale);
    assert_eq!(
        rest.refused(&path("heartbeat"), json!({"worker_id": "late", "fencing_token": old})).await,
        stale
    );
    let end = json!({"fencing_token": old, "result": {"by": "late"}});
    assert_eq!(rest.refused(&path("complete?success=false"), end).await, stale);
    let exchange = json!({"worker_id": "late", "max": 0, "heartbeats": [],
        "completed": [{"run_id": run, "fencing_token": old, "success": false}]});
    let answer = rest.post("/scheduler/exchange", exchange).await;
    assert_eq!(answer["refused"], json!([{"run_id": run, "reason": "stale_token"}]));

    assert_eq!(rest.append_text(run, new, "written by the heir\n").await.0, 200);
    rest.post(&path("complete?success=true"), json!({"fencing_token": new, "result": {"by": "heir"}})).await;
    let ended = &rest.runs(item).await[0];
    assert_eq!((&ended["status"], &ended["result"]), (&json!("succeeded"), &json!({"by": "heir"})));
    let log = rest.log(run).await;
    assert!(
        log.contains("written in time") && log.contains("written by the heir") && !log.contains("too late"),
        "{log}"
    );
}

async fn a_killed_workers_run_is_taken_over(database: Database) {
    let home = Home::new();
    let server = serve(&home, &database);
    let rest = &server.rest;
    let (gate, marks) = (home.shared("gate"), home.shared("marks"));
    let steps = [
        "echo waiting".to_owned(),
        format!("while [ ! -e {} ]; do sleep 0.05; done", gate.display()),
        format!("echo done >> {}", marks.display()),
    ];
    let project = rest.project(None).await;
    let env = [("AGENT_CLAIM_TTL", "1"), ("AGENT_HEARTBEAT_INTERVAL", "0.2")];
    let doomed = worker(&home, &rest.url, &[&env[..], &[("AGENT_ID", "doomed")]].concat());
    let item = rest.queued(project, "contested", &steps.each_ref().map(String::as_str), &[]).await;
    rest.until_log(item, "waiting").await;
    doomed.kill();
    fs::write(&gate, "").expect("the gate opens");
    let _heir = worker(&home, &rest.url, &[&env[..], &[("AGENT_ID", "heir")]].concat());
    rest.until_status(item, "succeeded").await;
    let runs = rest.runs(item).await;
    assert_eq!((runs.len(), &runs[0]["worker_id"], &runs[0]["takeovers"]), (1, &json!("heir"), &json!(1)));
    assert_eq!(fs::read_to_string(&marks).expect("marks"), "done\n");
}

async fn a_worker_told_to_go_finishes_what_it_has(database: Database) {
    let home = Home::new();
    let server = serve(&home, &database);
    let rest = &server.rest;
    let gate = home.shared("gate");
    let project = rest.project(None).await;
    let going = worker(&home, &rest.url, &[]);
    let wait = format!("while [ ! -e {} ]; do sleep 0.05; done", gate.display());
    let item = rest.queued(project, "last", &["echo waiting", &wait], &[]).await;
    rest.until_log(item, "waiting").await;
    going.signal("TERM");
    until("the worker says that it drains", || async {
        home.stderr_of("worker.log").contains("letting runs end").then_some(())
    })
    .await;
    let next = rest.queued(project, "next", &["true"], &[]).await;
    fs::write(&gate, "").expect("the gate opens");
    let status = going.wait();
    assert!(status.success(), "{status}");
    assert_eq!(rest.status(item).await, "succeeded");
    assert_eq!(
        (rest.status(next).await.as_str(), rest.runs(next).await.len()),
        ("queued", 0),
        "it claimed nothing more"
    );
}

async fn a_command_waits_for_a_yes_without_a_worker_and_then_runs(database: Database) {
    let home = Home::new();
    let server = serve(&home, &database);
    let rest = &server.rest;
    let project = rest.project(None).await;
    let _worker = worker(&home, &rest.url, &[]);
    let item = rest.queued(project, "publish", &["git push nowhere || echo pushed"], &[]).await;
    let asked = until("somebody is asked", || async {
        let approvals = rest.get(&format!("/work-items/{item}/approvals")).await;
        approvals.get(0).cloned()
    })
    .await;
    assert_eq!((&asked["kind"], &asked["status"]), (&json!("command"), &json!("pending")));
    assert_eq!(asked["subject"]["command"], "git push nowhere || echo pushed");
    until("the run is given back", || async {
        (rest.runs(item).await[0]["status"] == "pending").then_some(())
    })
    .await;
    rest.post(&format!("/work-items/approvals/{}/approve", asked["id"]), json!({"by": "ada"})).await;
    rest.until_status(item, "succeeded").await;
    let runs = rest.runs(item).await;
    assert_eq!((runs.len(), &runs[0]["takeovers"]), (1, &json!(0)));
    assert!(rest.log(id(&runs[0])).await.contains("pushed"));
    let audit = rest.get("/audit?limit=100").await;
    let recorded =
        audit.as_array().expect("a list").iter().any(|entry| entry["operation"] == "command confirm");
    assert!(recorded, "{audit}");
}

async fn a_worker_that_may_not_read_answers_says_so_before_anybody_gives_them(database: Database) {
    let home = Home::new();
    let server = serve(&home, &database);
    let rest = &server.rest;
    let project = rest.project(None).await;
    let _worker = worker(&home, &rest.url, &[("AGENT_SECRET_KEY", "another")]);
    let item = rest.queued(project, "deploy to aws", &["true"], &[]).await;
    rest.until_status(item, "failed").await;
    let error = rest.runs(item).await[0]["error"]["message"].clone();
    assert!(string(&error).contains("set AGENT_SECRET_KEY for the server and its workers"), "{error}");
}

#[tokio::test]
async fn two_servers_on_one_postgres_share_the_work_of_four_workers() {
    const ITEMS: usize = 40;
    let database = Database::postgres();
    let (one, two) = (Home::new(), Home::new());
    let servers = [serve(&one, &database), serve(&two, &database)];
    let marks = one.shared("marks");
    let mut workers = Vec::new();
    for (home, server) in [&one, &two, &one, &two].into_iter().zip(servers.iter().cycle()) {
        // All of them leave their marks in one place.
        let shared = one.path("shared");
        workers.push(worker(home, &server.rest.url, &[("ORCH_SANDBOX_WRITE", text(&shared))]));
    }
    let project = servers[0].rest.project(None).await;
    let step = format!("echo $SPALLA_WORK_ITEM_ID >> {}", marks.display());
    let mut items = Vec::new();
    for number in 0..ITEMS {
        // Both servers take orders, and every item but the first four waits for an earlier one.
        let after: Vec<i64> = items.len().checked_sub(4).map(|before| items[before]).into_iter().collect();
        items.push(servers[number % 2].rest.queued(project, "shared", &[&step], &after).await);
    }
    for item in &items {
        servers[1].rest.until_status(*item, "succeeded").await;
    }
    let marks = fs::read_to_string(&marks).expect("marks");
    let done: Vec<i64> = marks.lines().map(|line| line.parse().expect("an id")).collect();
    assert_eq!(done.len(), ITEMS);
    assert_eq!(done.iter().copied().collect::<BTreeSet<_>>(), items.iter().copied().collect());
    let place: BTreeMap<i64, usize> = done.iter().enumerate().map(|(place, item)| (*item, place)).collect();
    for (before, after) in items.iter().zip(&items[4..]) {
        assert!(place[before] < place[after], "{after} did not wait for {before}");
    }
    let mut hands = BTreeSet::new();
    for item in items {
        let runs = servers[0].rest.runs(item).await;
        assert_eq!((runs.len(), &runs[0]["attempt"], &runs[0]["takeovers"]), (1, &json!(1), &json!(0)));
        hands.insert(string(&runs[0]["worker_id"]));
        assert!(servers[1].rest.log(id(&runs[0])).await.contains("Starting run"));
    }
    assert!(hands.len() > 1, "one worker did everything");
}
