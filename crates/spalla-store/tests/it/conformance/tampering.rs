//! The audit against somebody who can write the database: whatever they do to its rows is found.

use crate::fixture::{Fixture, Kind, prove};
use spalla_domain::audit::chain::{Break, Verifier};
use spalla_domain::audit::{Call, Outcome};
use spalla_store::{Command, Location};

macro_rules! tampers {
    ($($claim:ident),+ $(,)?) => {
        mod sqlite { $(
            #[test]
            fn $claim() {
                super::prove(super::Kind::Sqlite, |f| Box::pin(super::$claim(f)));
            }
        )+ }
        mod postgres { $(
            #[test]
            fn $claim() {
                super::prove(super::Kind::Postgres, |f| Box::pin(super::$claim(f)));
            }
        )+ }
    };
}

tampers!(
    what_nobody_touched_is_whole,
    a_changed_row_is_found,
    a_removed_row_is_found_wherever_it_was,
    rows_in_another_order_are_found,
    an_added_row_is_found,
    an_end_that_is_moved_back_is_found_by_the_row_behind_it,
);

/// Writes five entries, each in a transaction of its own.
async fn recorded(f: &Fixture) {
    for n in 1..=5 {
        let call = Call {
            principal: "administrator".into(),
            client: "127.0.0.1".into(),
            operation: "POST /projects".into(),
            resource: format!("/projects/{n}"),
            request_id: "r".into(),
        };
        f.granted(Command::Record(Box::new(call.ended(Outcome::Done, None)))).await;
    }
}

/// Does to the database what somebody does who can write it.
async fn tamper(f: &Fixture, sql: &str) {
    match f.location() {
        Location::Sqlite(path) => rusqlite::Connection::open(path).unwrap().execute_batch(sql).unwrap(),
        Location::Postgres(url) => {
            let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
            let served = tokio::spawn(connection);
            client.batch_execute(sql).await.unwrap();
            drop(client);
            served.await.unwrap().unwrap();
        }
        Location::Memory(_) => panic!("nobody else writes a store in memory"),
    }
}

async fn found(f: &Fixture) -> Result<(), Break> {
    let mut verifier = Verifier::default();
    for entry in f.store.read().audit_from(0.into(), 100).await.unwrap() {
        verifier.take(&entry)?;
    }
    verifier.reaches(f.store.read().audit_head().await.unwrap())
}

async fn found_after(f: &Fixture, sql: &str) -> i64 {
    recorded(f).await;
    tamper(f, sql).await;
    found(f).await.unwrap_err().at().0
}

async fn what_nobody_touched_is_whole(f: Fixture) {
    recorded(&f).await;
    assert_eq!(found(&f).await, Ok(()));
}

async fn a_changed_row_is_found(f: Fixture) {
    assert_eq!(found_after(&f, "update audit set principal = 'mallory' where id = 3").await, 3);
}

async fn a_removed_row_is_found_wherever_it_was(f: Fixture) {
    assert_eq!(found_after(&f, "delete from audit where id = 5").await, 5);
    tamper(&f, "delete from audit where id = 3").await;
    assert_eq!(found(&f).await.unwrap_err().at().0, 3);
    tamper(&f, "delete from audit where id = 1").await;
    assert_eq!(found(&f).await.unwrap_err().at().0, 1);
}

async fn rows_in_another_order_are_found(f: Fixture) {
    let swap = "update audit set id = 99 where id = 2; update audit set id = 2 where id = 3;
        update audit set id = 3 where id = 99";
    assert_eq!(found_after(&f, swap).await, 2);
}

async fn an_added_row_is_found(f: Fixture) {
    let add = "insert into audit (id, at, principal, client, operation, resource, request_id, outcome, code,
            previous_hash, hash)
        select 6, at, principal, client, operation, resource, request_id, outcome, code, hash, previous_hash
        from audit where id = 5";
    assert_eq!(found_after(&f, add).await, 6);
}

/// Whoever removes the end and moves what is kept of it back fits the next entry in, unless somebody kept the end elsewhere.
async fn an_end_that_is_moved_back_is_found_by_the_row_behind_it(f: Fixture) {
    recorded(&f).await;
    let kept = f.store.read().audit_head().await.unwrap();
    let back = "delete from audit where id = 5;
        update audit_head set id = 4, hash = (select hash from audit where id = 4)";
    tamper(&f, back).await;
    recorded(&f).await;
    let mut verifier = Verifier::default();
    let mut broken = None;
    for entry in f.store.read().audit_from(0.into(), 100).await.unwrap() {
        verifier.take(&entry).unwrap();
        if entry.id == kept.id {
            broken = verifier.reaches(kept).err();
        }
    }
    assert_eq!(broken, Some(Break::OtherEnd(kept.id)));
}
