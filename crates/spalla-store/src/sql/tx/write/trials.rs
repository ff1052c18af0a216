//! Trials of the statements that compare a token: each meets a row whose token has moved, and has to leave it alone.
//! No schedule comes that far, because the row is locked from its load to its write; so each is tried by itself.

use super::super::call::{by_rows, once};
use super::{Calls, Sink as _};
use crate::desk::FRESH;
use crate::error::StoreError;
use crate::sql::driver::Driver;
use crate::sql::row::place::ByTable;
use crate::sql::row::project;
use crate::sql::statement::{Row, Statement};
use crate::sql::statements as sql;
use crate::tx::{PlaceRow, Placed, QueueKey};
use spalla_domain::lease::Lease;
use spalla_domain::queue::{Finished, Holds, Place, Standing};
use spalla_domain::run::LiveRun;
use spalla_domain::work_item::{Executor, Status};
use spalla_domain::{Fence, ProjectId, QueueId, RunId, Timestamp, WorkItemId, WorkerId};
use std::collections::BTreeSet;

/// The token that the rows bear.
const NEWEST: Fence = Fence(7);
/// Tokens that they bore, or will bear.
const MOVED: [Fence; 2] = [Fence(6), Fence(8)];
/// Whose rows they are.
const QUEUE: QueueId = QueueId(1);

static BEGIN_TRIAL: Statement = both("trial/begin", "savepoint trial");
static END_TRIAL: Statement = both("trial/end", "rollback to savepoint trial");

const fn both(name: &'static str, text: &'static str) -> Statement {
    Statement { name, sqlite: text, postgres: text }
}

/// Lets every statement that compares a token meet rows that bear another one, and then the one it looks for.
pub(crate) async fn every_guard_meets_a_moved_token<D: Driver>(driver: &mut D) {
    fill(driver).await;
    for (statement, rows) in MOVED.into_iter().flat_map(guarded) {
        let answers = driver.run(vec![by_rows(statement, rows.clone())]).await.unwrap();
        assert_eq!(answers[0].written, 0, "{} wrote a row whose token had moved", statement.name);
        driver.run(vec![once(&BEGIN_TRIAL, vec![])]).await.unwrap();
        let mut calls = Calls::default();
        calls.all(statement, rows);
        let outcome = calls.run(driver, false).await;
        driver.run(vec![once(&END_TRIAL, vec![])]).await.unwrap();
        assert!(matches!(outcome, Err(StoreError::Conflict { .. })), "{}: {outcome:?}", statement.name);
    }
    for (statement, rows) in guarded(NEWEST) {
        let answers = driver.run(vec![by_rows(statement, rows)]).await.unwrap();
        assert_eq!(answers[0].written, 1, "{} did not find its row", statement.name);
    }
}

/// Puts one row into each table of places.
async fn fill<D: Driver>(driver: &mut D) {
    let mut calls = Calls::default();
    let key = QueueKey {
        project_id: ProjectId(1),
        executor: Executor::Recipe,
        labels: vec![],
        agent: None,
        resources: None,
    };
    calls.all(&sql::queue::INSERT, vec![project::new_queue((QUEUE, key)).unwrap()]);
    super::enter(&mut calls, ByTable::entering(rows(NEWEST)).unwrap());
    calls.run(driver, false).await.unwrap();
}

/// Returns every statement that compares a token, with a row that it is to find only where the token is this one.
fn guarded(token: Fence) -> Vec<(&'static Statement, Vec<Row>)> {
    let changing = rows(token).into_iter().zip(rows(NEWEST)).filter(|(before, _)| {
        matches!(before.placed.place, Place::Blocked(_) | Place::Leased(_) | Place::Finished(_))
    });
    let changed = ByTable::changing(changing.collect()).unwrap();
    let left = ByTable::leaving(rows(token)).unwrap();
    vec![
        (&sql::blocked::UPDATE, changed.blocked),
        (&sql::leased::UPDATE, changed.leased),
        (&sql::finished::UPDATE, changed.finished),
        (&sql::ready::DELETE, left.ready),
        (&sql::delayed::DELETE, left.delayed),
        (&sql::blocked::DELETE, left.blocked),
        (&sql::leased::DELETE, left.leased),
        (&sql::finished::DELETE, left.finished),
    ]
}

/// Returns one row for each table of places.
fn rows(fence: Fence) -> Vec<PlaceRow> {
    let now = Timestamp::from_ms(1_000);
    let lease = Lease::new(WorkerId::new("w".to_owned()).unwrap(), 1_000, now);
    let run = LiveRun { lease: Some(lease), started_at: Some(now), ..LiveRun::new(RunId(1), now) };
    let places = [
        Place::Ready,
        Place::Delayed { due_at: now },
        Place::Blocked(Holds { unmet: 1, broken: None, pending: 0, rejected: 0, due_at: None }),
        Place::Leased(run),
        Place::Finished(Finished { status: Status::Succeeded, at: now }),
    ];
    let standing = Standing { fence, attempt: 1, ..FRESH };
    let placed = |place| Placed { id: WorkItemId(1), standing, place };
    places
        .into_iter()
        .map(|place| PlaceRow { project_id: ProjectId(1), queue: QUEUE, priority: 5, placed: placed(place) })
        .collect()
}

/// Tells whether a text compares a token: it speaks of one behind its first condition.
fn compares_a_token(text: &str) -> bool {
    text.split_whitespace()
        .skip_while(|word| !["where", "on"].contains(word))
        .any(|word| word.contains("fence"))
}

#[test]
fn every_statement_that_compares_a_token_has_a_trial() {
    let tried: BTreeSet<&str> = guarded(NEWEST).iter().map(|(statement, _)| statement.name).collect();
    for text in [|s: &Statement| s.sqlite, |s: &Statement| s.postgres] {
        let comparing = sql::ALL.iter().filter(|statement| compares_a_token(text(statement)));
        assert_eq!(comparing.map(|statement| statement.name).collect::<BTreeSet<_>>(), tried);
    }
}
