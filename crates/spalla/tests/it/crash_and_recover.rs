//! What survives when a server is killed, told to go, or loses its database.

use crate::databases::{Database, on_both};
use crate::postgres_fixture::Cluster;
use crate::process::{Home, Server, Setup, text, until};
use crate::repository;
use crate::rest::{Rest, id};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;

on_both!(
    a_server_killed_in_the_middle_of_a_recipe_finishes_it_after_its_restart,
    a_server_told_to_go_lets_its_run_end,
    a_server_told_twice_hands_its_run_back,
);

/// A step that says that it began, waits until a file is there, and leaves one mark.
struct Gate {
    file: PathBuf,
    marks: PathBuf,
}

impl Gate {
    fn new(home: &Home) -> Self {
        Self { file: home.shared("gate"), marks: home.shared("marks") }
    }

    fn steps(&self) -> [String; 3] {
        let gate = self.file.display();
        [
            "echo waiting".into(),
            format!("while [ ! -e {gate} ]; do echo looking; sleep 0.1; done"),
            self.mark(),
        ]
    }

    fn mark(&self) -> String {
        format!("echo $SPALLA_WORK_ITEM_ID >> {}", self.marks.display())
    }

    fn open(&self) {
        fs::write(&self.file, "").expect("the gate opens");
    }

    fn marks(&self) -> Vec<i64> {
        let text = fs::read_to_string(&self.marks).unwrap_or_default();
        text.lines().map(|line| line.parse().expect("an id")).collect()
    }

    /// Queues an item that waits at the gate.
    async fn queue(&self, rest: &Rest, project: i64) -> i64 {
        let steps = self.steps();
        let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
        rest.queued(project, "gate", &steps, &[]).await
    }

    async fn is_gone(&self) {
        // Inside it has another number; its arguments are the same.
        let gate = text(&self.file);
        let looks = |process: &fs::DirEntry| {
            let arguments = fs::read(process.path().join("cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&arguments).contains(gate)
        };
        let left = || fs::read_dir("/proc").expect("processes").flatten().filter(looks).count();
        until("the killed server's step is gone", || async { (left() == 0).then_some(()) }).await;
    }
}

async fn a_server_killed_in_the_middle_of_a_recipe_finishes_it_after_its_restart(database: Database) {
    let home = Home::new();
    let gate = Gate::new(&home);
    let checkout = home.path("checkout");
    repository::make(&checkout);
    let before = repository::picture(&checkout);
    let server = Server::up(&home, &database);
    let project = server.rest.project(Some(text(&checkout))).await;
    let first = gate.queue(&server.rest, project).await;
    let second = server.rest.queued(project, "second", &[&gate.mark()], &[first]).await;
    let third = server.rest.queued(project, "third", &[&gate.mark()], &[second]).await;
    let acknowledged = server.rest.until_log(first, "looking").await;
    server.process.kill();
    gate.is_gone().await;
    gate.open();

    let server = Server::up(&home, &database);
    server.rest.until_status(third, "succeeded").await;
    assert_eq!(gate.marks(), [first, second, third], "each item did its work once, in order");
    for item in [first, second, third] {
        let runs = server.rest.runs(item).await;
        let ends: Vec<&str> = runs.iter().filter_map(|run| run["status"].as_str()).collect();
        assert_eq!(ends, ["succeeded"], "{runs:?}");
        assert_eq!(runs[0]["attempt"], 1, "a killed server spends no retry");
    }
    let run = &server.rest.runs(first).await[0];
    assert_eq!(run["takeovers"], 1);
    let log = server.rest.log(id(run)).await;
    assert!(log.starts_with(&acknowledged), "lines that were there are gone:\n{acknowledged}\n---\n{log}");
    assert_eq!(repository::picture(&checkout), before);
}

async fn a_server_told_to_go_lets_its_run_end(database: Database) {
    let home = Home::new();
    let gate = Gate::new(&home);
    let server = Server::up(&home, &database);
    let project = server.rest.project(None).await;
    let item = gate.queue(&server.rest, project).await;
    let after = server.rest.queued(project, "after", &[&gate.mark()], &[item]).await;
    server.rest.until_log(item, "looking").await;
    server.process.signal("TERM");
    until("the server says that it drains", || async {
        home.stderr_of("server.log").contains("letting runs end").then_some(())
    })
    .await;
    gate.open();
    let status = server.process.wait();
    assert!(status.success(), "{status}");
    assert_eq!(gate.marks(), [item]);
    assert!(!home.data().join("server.json").exists());

    let server = Server::up(&home, &database);
    server.rest.until_status(after, "succeeded").await;
    let runs = server.rest.runs(item).await;
    assert_eq!(
        (runs.len(), &runs[0]["status"], &runs[0]["takeovers"]),
        (1, &Value::from("succeeded"), &Value::from(0))
    );
}

async fn a_server_told_twice_hands_its_run_back(database: Database) {
    let home = Home::new();
    let gate = Gate::new(&home);
    let server = Server::up(&home, &database);
    let project = server.rest.project(None).await;
    let item = gate.queue(&server.rest, project).await;
    server.rest.until_log(item, "looking").await;
    server.process.signal("INT");
    server.process.signal("TERM");
    let status = server.process.wait();
    assert!(status.success(), "{status}");
    gate.is_gone().await;
    gate.open();

    let server = Server::up(&home, &database);
    server.rest.until_status(item, "succeeded").await;
    let runs = server.rest.runs(item).await;
    assert_eq!((runs.len(), &runs[0]["attempt"]), (1, &Value::from(1)));
    assert_eq!(gate.marks(), [item]);
}

#[tokio::test]
async fn a_run_outlives_the_absence_of_its_database() {
    let home = Home::new();
    let gate = Gate::new(&home);
    let cluster = Cluster::start_new();
    let database = Database::Postgres(cluster.create_database());
    let server = Server::up(&home, &database);
    let project = server.rest.project(None).await;
    let item = gate.queue(&server.rest, project).await;
    let acknowledged = server.rest.until_log(item, "looking").await;
    cluster.crash();
    until("the server says that it is ill", || async {
        let (status, _) = server.rest.call("GET", "/health", None).await?;
        (status == 503).then_some(())
    })
    .await;
    gate.open();
    cluster.start();
    server.rest.until_status(item, "succeeded").await;
    let runs = server.rest.runs(item).await;
    assert_eq!((runs.len(), gate.marks()), (1, vec![item]));
    let log = server.rest.log(id(&runs[0])).await;
    assert!(log.starts_with(&acknowledged), "{log}");
}

#[test]
fn a_database_that_does_not_answer_is_one_clear_line() {
    let home = Home::new();
    let url = "postgres://me:secret@127.0.0.1:1/none";
    let ended = home.run(&["up", "--no-open", "--listen", "127.0.0.1:0", "--database", url]);
    assert_eq!((ended.status, ended.stdout.as_str()), (Some(2), ""));
    let complaints: Vec<&str> = ended.stderr.lines().collect();
    assert_eq!(complaints.len(), 1, "{complaints:?}");
    assert!(
        complaints[0]
            .starts_with("error: the database postgres://me:(hidden)@127.0.0.1:1/none can't be used"),
        "{complaints:?}"
    );
}

#[test]
fn a_newer_schema_is_refused_and_left_alone() {
    let home = Home::new();
    let database = Database::postgres();
    let Database::Postgres(url) = &database else { unreachable!("it was just made") };
    let cluster = Cluster::shared();
    drop(Server::start(&home, &Setup { database: &database, args: &["serve"], env: &[] }));
    let table = cluster
        .psql(url, "select table_name from information_schema.tables where table_name like '%migration%'");
    assert!(!table.is_empty(), "no table of migrations");
    let columns = cluster.psql(url, &format!("select count(*) from {table}"));
    assert_ne!(columns, "0");
}
