//! Every statement is understood by both databases, and none walks through a table that only grows.

use super::ALL;
use crate::sql::postgres_fixture::Cluster;
use crate::sql::statement::{Dialect, MANY, Same, Value};
use rusqlite::Connection;
use std::collections::BTreeSet;
use std::path::Path;
use tokio_postgres::NoTls;

/// Reads the migrations of a database, oldest first.
fn migrations(database: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(database);
    let files: BTreeSet<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.into_iter().map(|file| std::fs::read_to_string(file).unwrap()).collect()
}

fn sqlite() -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    for script in migrations("sqlite") {
        connection.execute_batch(&script).unwrap();
    }
    connection
}

#[test]
fn every_statement_prepares_on_sqlite() {
    let connection = sqlite();
    for statement in ALL {
        let compiled = statement.compile(Dialect::Sqlite).unwrap();
        let prepared = connection.prepare(&compiled.sql);
        let prepared =
            prepared.unwrap_or_else(|error| panic!("{}: {error}\n{}", statement.name, compiled.sql));
        let columns = compiled.columns.map_or(0, |columns| columns.len());
        assert_eq!(prepared.parameter_count(), compiled.scalars.len() + columns, "{}", statement.name);
        let Some(many) = compiled.many else { continue };
        let prepared =
            connection.prepare(&many).unwrap_or_else(|error| panic!("{}: {error}\n{many}", statement.name));
        let wanted = compiled.scalars.len() + MANY * columns;
        assert_eq!(prepared.parameter_count(), wanted, "{}", statement.name);
    }
}

#[tokio::test]
async fn every_statement_prepares_on_postgres() {
    let url = Cluster::shared().create_database();
    let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(connection);
    for script in migrations("postgres") {
        client.batch_execute(&script).await.unwrap();
    }
    for statement in ALL {
        let compiled = statement.compile(Dialect::Postgres).unwrap();
        let width = compiled.columns.as_ref().map_or(0, Vec::len);
        // Rows that differ in all columns, rows that differ in the last one, and a single row.
        let row = |last| [vec![Value::Int(0); width.saturating_sub(1)], vec![Value::Int(last)]].concat();
        for same in [Same::NONE, Same::of(&[row(0), row(1)]), Same::of(&[row(0)])] {
            let compiled = statement.compile_for(same).unwrap();
            let prepared = client.prepare(&compiled.sql).await;
            prepared.unwrap_or_else(|error| panic!("{}: {error:?}\n{}", statement.name, compiled.sql));
        }
    }
}

#[test]
fn a_statement_takes_the_same_parameters_on_both_databases() {
    for statement in ALL {
        let [sqlite, postgres] = [Dialect::Sqlite, Dialect::Postgres].map(|d| statement.compile(d).unwrap());
        assert_eq!(sqlite.scalars, postgres.scalars, "{}", statement.name);
        assert_eq!(sqlite.columns, postgres.columns, "{}", statement.name);
    }
}

#[test]
fn names_are_unique() {
    let names: BTreeSet<_> = ALL.iter().map(|statement| statement.name).collect();
    assert_eq!(names.len(), ALL.len());
}

/// Statements that read a whole table by intent: it is small, has a limit as the queue has, or is counted. Those of an agent's
/// newest runs read back until they have them.
const READS_ALL: &[&str] = &[
    "entry/depths",
    "entry/list",
    "entry/list_blocked",
    "entry/list_delayed",
    "entry/list_ready",
    "leased/by_worker",
    "leased/next_moment",
    "leased/pick_held_by",
    "leased/pick_overdue",
    "project/is_active",
    "queue/list_agents",
    "queue/load",
    "run/last_of_agents",
    "run/outcomes_of_agent",
    "usage/active",
    "work_item/list_queued",
];

#[test]
fn only_those_that_mean_to_read_a_whole_table() {
    let connection = sqlite();
    for statement in ALL.iter().filter(|s| !s.name.contains("/count") && !READS_ALL.contains(&s.name)) {
        let compiled = statement.compile(Dialect::Sqlite).unwrap();
        let mut plan = connection.prepare(&format!("explain query plan {}", compiled.sql)).unwrap();
        let parameters = vec![None::<i64>; plan.parameter_count()];
        let steps =
            plan.query_map(rusqlite::params_from_iter(parameters), |row| row.get::<_, String>(3)).unwrap();
        for step in steps.map(|step| step.unwrap()) {
            assert!(!scans_a_table(&step, &compiled.sql), "{}: {step}", statement.name);
        }
    }
}

/// Lists that grow for ever and are read page by page: none of their pages may cost more as they grow.
const PAGED: &[&str] = &[
    "audit/list",
    "audit/list_from",
    "audit/list_not_done",
    "audit/list_of_collection",
    "audit/list_of_operation",
    "audit/list_of_principal",
    "audit/list_of_thing",
    "document/list",
    "document/list_of",
    "run/list_bad_of_agent",
    "run/list_ended",
    "run/list_ended_badly",
    "run/list_ended_of_project",
];

#[test]
fn a_page_of_a_list_that_grows_is_found_by_an_index_and_not_sorted_on_sqlite() {
    let connection = sqlite();
    let paged: Vec<_> = ALL.iter().filter(|statement| PAGED.contains(&statement.name)).collect();
    assert_eq!(paged.len(), PAGED.len());
    for statement in paged {
        let compiled = statement.compile(Dialect::Sqlite).unwrap();
        let mut plan = connection.prepare(&format!("explain query plan {}", compiled.sql)).unwrap();
        let parameters = vec![None::<i64>; plan.parameter_count()];
        let steps =
            plan.query_map(rusqlite::params_from_iter(parameters), |row| row.get::<_, String>(3)).unwrap();
        for step in steps.map(|step| step.unwrap()) {
            assert!(step.starts_with("SEARCH "), "{}: {step}", statement.name);
        }
    }
}

#[tokio::test]
async fn a_page_of_a_list_that_grows_is_found_by_an_index_and_not_sorted_on_postgres() {
    let url = Cluster::shared().create_database();
    let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(connection);
    for script in migrations("postgres") {
        client.batch_execute(&script).await.unwrap();
    }
    // Of tables that are empty yet everything is cheap: what is left is what can't be done without.
    for way in ["seqscan", "bitmapscan", "sort", "incremental_sort", "hashjoin", "mergejoin"] {
        client.batch_execute(&format!("set enable_{way} = off")).await.unwrap();
    }
    client.batch_execute("set plan_cache_mode = force_generic_plan").await.unwrap();
    for statement in ALL.iter().filter(|statement| PAGED.contains(&statement.name)) {
        let compiled = statement.compile(Dialect::Postgres).unwrap();
        let nulls = vec!["null"; compiled.scalars.len()].join(", ");
        client.batch_execute(&format!("prepare page as {}", compiled.sql)).await.unwrap();
        let plan = client.simple_query(&format!("explain (costs off) execute page ({nulls})")).await.unwrap();
        let lines = plan.iter().filter_map(|line| match line {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0),
            _ => None,
        });
        let plan: Vec<_> = lines.collect();
        let is_bad = |line: &&str| line.contains("Sort") || line.contains("Seq Scan");
        assert!(!plan.iter().any(is_bad), "{}:\n{}", statement.name, plan.join("\n"));
        client.batch_execute("deallocate page").await.unwrap();
    }
}

/// Tells whether a step of a plan walks through a table. A limited walk in the order of the key stops by itself.
fn scans_a_table(step: &str, sql: &str) -> bool {
    const TABLES: [&str; 17] = [
        "approval",
        "audit",
        "blocked",
        "delayed",
        "dep",
        "document",
        "entry",
        "event_chunk",
        "event_stretch",
        "finished",
        "leased",
        "log_chunk",
        "open",
        "ready",
        "reply",
        "run",
        "work_item",
    ];
    let scanned = step.strip_prefix("SCAN ").map(|rest| rest.split(' ').next().unwrap_or_default());
    let is_limited = sql.contains("order by work_item_id\nlimit");
    scanned.is_some_and(|name| TABLES.contains(&name)) && !is_limited
}
