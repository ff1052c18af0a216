//! `spalla doctor --check-history`: beside a running server, after a kill, and on a store that has not drained.

use crate::databases::{Database, on_both};
use crate::process::{Ended, Home, Server, ended};
use serde_json::{Value, json};

on_both!(the_doctor_checks_the_history_with_and_without_a_server);

fn check(home: &Home, database: &Database, args: &[&str]) -> Ended {
    let flags = database.flags();
    let mut all = vec!["doctor", "--check-history"];
    all.extend(args);
    all.extend(flags.iter().map(String::as_str));
    ended(home.command(&all).output().expect("it runs"))
}

async fn the_doctor_checks_the_history_with_and_without_a_server(database: Database) {
    let home = Home::new();
    let server = Server::up(&home, &database);
    let project = server.rest.project(None).await;
    let first = server.rest.queued(project, "first", &["true"], &[]).await;
    let second = server.rest.queued(project, "second", &["true"], &[first]).await;
    server.rest.until_status(second, "succeeded").await;
    let good = check(&home, &database, &["--drained"]).good();
    assert!(good.starts_with("ok") && good.contains("2 work items, 2 runs"), "{good}");

    let waits = json!({"project_id": project, "title": "waits", "executor": "external"});
    let third = server.rest.item(waits).await;
    server.rest.enqueue(third).await;
    server.process.kill();
    check(&home, &database, &[]).good();
    let stranded = check(&home, &database, &["--drained", "--json"]);
    assert_eq!(stranded.status, Some(1), "{stranded:?}");
    let report: Value = serde_json::from_str(&stranded.stdout).expect("JSON");
    assert_eq!((&report["items"], &report["violation_count"]), (&json!(3), &json!(1)), "{report}");
    let violation = &report["violations"][0];
    assert_eq!(
        (&violation["law"], &violation["work_item_id"]),
        (&json!("drained"), &json!(third)),
        "{report}"
    );
}

#[test]
fn a_history_that_is_not_there_is_no_good_history() {
    let home = Home::new();
    let none = check(&home, &Database::Sqlite, &[]);
    assert_eq!(none.status, Some(2), "{none:?}");
    assert!(none.stderr.contains("there is no database"), "{none:?}");
    assert!(!home.data().join("spalla.db").exists());
}
