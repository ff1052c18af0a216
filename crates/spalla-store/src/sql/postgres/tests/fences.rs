//! Statements that compare a token, in a database.

use super::super::session::{Purpose, Session, Transaction};
use super::super::target::Target;
use super::{Bench, rows};
use crate::error::StoreError;
use crate::sql::migrate;
use crate::sql::postgres_fixture::Cluster;
use crate::sql::probe::{KILL, RENAME, call, insert, row};
use crate::sql::statement::{Call, Row, Value};
use crate::sql::tx::trials;
use spalla_domain::Timestamp;

#[tokio::test]
async fn a_row_whose_token_moved_is_not_written() {
    let target = Target::parse(&Cluster::shared().create_database()).unwrap();
    let mut session = Session::connect(&target, Purpose::Write).await.unwrap();
    migrate::run(&mut session, migrate::POSTGRES, Timestamp::from_ms(5)).await.unwrap();
    session.begin();
    trials::every_guard_meets_a_moved_token(&mut Transaction(&mut session)).await;
    session.rollback().await.unwrap();
}

fn rename(ids: &[i64]) -> Call {
    let rows = ids.iter().map(|id| vec![Value::Int(*id), Value::Text("new".to_owned())]).collect();
    Call { writes_all: true, ..call(&RENAME, vec![], rows) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_misses_a_row_takes_the_commit_on_its_way_with_it() {
    let bench = Bench::new().await;
    let mut session = bench.session().await;
    session.begin();
    let missed = session.run_last_calls(&[insert(7, "old"), rename(&[7, 8])]).await;
    assert!(matches!(missed, Err(StoreError::Conflict { .. })), "{missed:?}");
    session.rollback().await.unwrap();
    assert_eq!(rows(&bench.target).await, Vec::<Row>::new());

    session.begin();
    let answers = session.run_last_calls(&[insert(7, "old"), rename(&[7])]).await.unwrap();
    assert_eq!(answers.iter().map(|answer| answer.written).collect::<Vec<_>>(), [1, 1]);
    session.commit().await.unwrap();
    assert_eq!(rows(&bench.target).await, [row(7, "new")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_breaks_during_the_last_statements_leaves_the_commit_unknown() {
    let bench = Bench::new().await;
    let mut session = bench.session().await;
    session.begin();
    let broken = session.run_last_calls(&[insert(7, "old"), call(&KILL, vec![], vec![])]).await;
    assert!(matches!(broken, Err(StoreError::Unknown { .. })), "{broken:?}");
}
