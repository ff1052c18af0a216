//! Migrations and the store's id in a database.

use super::super::session::{Purpose, Session};
use super::super::target::Target;
use super::ids;
use crate::error::StoreError;
use crate::sql::migrate::{self, Migration};
use crate::sql::postgres_fixture::Cluster;
use crate::sql::probe::{Counting, IDS, MIGRATIONS, WRONG_MIGRATION, call};
use futures_util::future::join_all;
use spalla_domain::Timestamp;

fn empty() -> Target {
    Target::parse(&Cluster::shared().create_database()).unwrap()
}

async fn migrate(target: &Target, migrations: &[Migration]) -> Result<Vec<i64>, StoreError> {
    let mut session = Session::connect(target, Purpose::Setup).await?;
    migrate::run(&mut session, migrations, Timestamp::from_ms(5)).await?;
    Ok(ids(&session.run_calls(&[call(&IDS, vec![], vec![])]).await?[0].rows))
}

#[tokio::test]
async fn each_migration_is_applied_once_however_many_start_at_once() {
    let target = empty();
    for rows in join_all((0..8).map(|_| migrate(&target, &MIGRATIONS))).await {
        assert_eq!(rows.unwrap(), [1, 2]);
    }
}

#[tokio::test]
async fn a_database_of_a_newer_program_is_refused() {
    let target = empty();
    migrate(&target, &MIGRATIONS).await.unwrap();
    let error = migrate(&target, &MIGRATIONS[..1]).await.unwrap_err();
    assert!(matches!(error, StoreError::NewerSchema { found: 2, known: 1 }), "{error}");
}

#[tokio::test]
async fn a_migration_that_fails_leaves_nothing_behind() {
    let target = empty();
    migrate(&target, &MIGRATIONS).await.unwrap();
    let [first, second] = &MIGRATIONS;
    let copy = |migration: &Migration| Migration { ..*migration };
    let error = migrate(&target, &[copy(first), copy(second), copy(&WRONG_MIGRATION)]).await.unwrap_err();
    assert!(
        error.to_string().contains("migration 0003_wrong: relation \"nowhere\" does not exist"),
        "{error}"
    );
    assert_eq!(migrate(&target, &MIGRATIONS).await.unwrap(), [1, 2]);
}

#[tokio::test]
async fn servers_that_start_at_once_agree_on_the_id_of_the_store() {
    let target = empty();
    let mut session = Session::connect(&target, Purpose::Setup).await.unwrap();
    migrate::run(&mut session, migrate::POSTGRES, Timestamp::from_ms(5)).await.unwrap();
    let randomness = Counting::default();
    let start = async || {
        let mut session = Session::connect(&target, Purpose::Setup).await?;
        migrate::store_id(&mut session, &randomness).await
    };
    let ids: Vec<String> = join_all((0..8).map(|_| start())).await.into_iter().map(Result::unwrap).collect();
    assert!(ids.iter().all(|id| *id == ids[0] && id.len() == 32), "{ids:?}");
}
