//! A small table and small deeds for the tests of the drivers, which so need neither commands nor the schema.

use super::driver::Driver;
use super::migrate::Migration;
use super::statement::{Call, Statement, Value};
use super::transact::Transact;
use crate::batch::Done;
use crate::command::{Command, IdempotencyKey, Reply, Request};
use crate::error::StoreError;
use crate::store::{Outcome, Randomness};
use crate::tx::Result;
use spalla_domain::event::{Event, Fact};
use spalla_domain::{EventSeq, ProjectId, Timestamp};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};

/// The table, in a text that both databases understand.
pub(crate) const TABLE: &str = "create table probe (id bigint primary key, body text)";
/// The same with a column for bytes.
pub(crate) const SQLITE_BYTES: &str = "alter table probe add column data blob";
pub(crate) const POSTGRES_BYTES: &str = "alter table probe add column data bytea";
/// A trigger that kills its own connection when the transaction commits.
pub(crate) const DEADLY_COMMIT: &str = "
    create function die() returns trigger language plpgsql as
        $$ begin perform pg_terminate_backend(pg_backend_pid()); return null; end $$;
    create constraint trigger deadly after insert on probe deferrable initially deferred
        for each row when (new.body = 'deadly') execute function die();
";
pub(crate) const COUNT_CONNECTIONS: &str = "select count(*) from pg_stat_activity where application_name = 'spalla' and datname = current_database()";
pub(crate) const KILL_LISTENERS: &str = "select count(pg_terminate_backend(pid)) from pg_stat_activity \
     where query = 'listen spalla' and datname = current_database()";

/// A schema in two steps, the second of which can't be taken twice.
pub(crate) static MIGRATIONS: [Migration; 2] = [
    Migration { version: 1, name: "0001_probe", script: TABLE },
    Migration {
        version: 2,
        name: "0002_rows",
        script: "insert into probe (id, body) values (1, 'a;b'); insert into probe (id) values (2); -- and ; no more",
    },
];
/// A third step that fails after it has done something.
pub(crate) static WRONG_MIGRATION: Migration = Migration {
    version: 3,
    name: "0003_wrong",
    script: "delete from probe; insert into nowhere (id) values (1)",
};

pub(crate) static INSERT: Statement = both(
    "probe/insert",
    "insert into probe (id, body, data) select id, body, data from :rows(id, body text, data blob)",
);
pub(crate) static INSERT_RETURNING: Statement = both(
    "probe/insert_returning",
    "insert into probe (id, body) select id + :offset, body from :rows(id, body text) \
     returning id, body",
);
pub(crate) static UPDATE: Statement = both("probe/update", "update probe set body = :body where id <= :most");
pub(crate) static RENAME: Statement = both(
    "probe/rename",
    "update probe set body = rows.body from :rows(id, body text) where probe.id = rows.id",
);
pub(crate) static DELETE: Statement = both("probe/delete", "delete from probe where id = :id");
pub(crate) static IDS: Statement = both("probe/ids", "select id from probe order by id");
pub(crate) static ALL: Statement = both("probe/all", "select id, body, data from probe order by id");
pub(crate) static WRONG: Statement = both("probe/wrong", "select nothing from nowhere");
pub(crate) static REAL: Statement = both("probe/real", "select cast(0.5 as real) as half");
pub(crate) static ECHO: Statement = Statement {
    name: "probe/echo",
    sqlite: "select :int, :text, :blob, :flag",
    postgres: "select :int::bigint, :text::text, :blob::bytea, :flag::boolean",
};
pub(crate) static KILL: Statement = both("probe/kill", "select pg_terminate_backend(pg_backend_pid())");
static WIDEN: Statement = both("probe/widen", "pragma max_page_count = 100000");

const fn both(name: &'static str, text: &'static str) -> Statement {
    Statement { name, sqlite: text, postgres: text }
}

pub(crate) fn call(statement: &'static Statement, scalars: Vec<Value>, rows: Vec<Vec<Value>>) -> Call {
    Call { statement, scalars, rows, writes_all: false }
}

/// A row of the table.
pub(crate) fn row(id: i64, body: &str) -> Vec<Value> {
    vec![Value::Int(id), Value::Text(body.to_owned()), Value::Null]
}

/// A call that inserts a row.
pub(crate) fn insert(id: i64, body: &str) -> Call {
    call(&INSERT, vec![], vec![row(id, body)])
}

/// A request for one of the deeds below, on the row of that id.
pub(crate) fn deed(word: &str, id: u32) -> Request {
    let idempotency = IdempotencyKey { key: word.to_owned(), fingerprint: [0; 32] };
    Request {
        command: Command::KeepTime { max: id },
        idempotency: Some(idempotency),
        audit: None,
        scope: None,
    }
}

/// The answer to a deed that was done.
pub(crate) fn is_done(outcome: &Outcome, id: u32) -> bool {
    matches!(outcome, Ok(Reply::Moved(moved)) if *moved == id)
}

/// Carries out deeds, and remembers the batches they came in.
#[derive(Default)]
pub(crate) struct Probe {
    /// How many requests each try of a batch had.
    pub(crate) batches: Mutex<Vec<usize>>,
    /// How often `conflict` and `die` make trouble before they succeed.
    pub(crate) troubles: AtomicU32,
    /// How many batches were not committed.
    pub(crate) forgotten: AtomicU32,
    /// Opens for `wait`.
    pub(crate) gate: Mutex<Option<Receiver<()>>>,
}

impl Probe {
    pub(crate) fn with_troubles(troubles: u32) -> Arc<Self> {
        Arc::new(Self { troubles: AtomicU32::new(troubles), ..Self::default() })
    }

    pub(crate) fn batches(&self) -> Vec<usize> {
        self.batches.lock().unwrap().clone()
    }

    fn is_in_trouble(&self) -> bool {
        let fewer = |troubles: u32| troubles.checked_sub(1);
        self.troubles.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fewer).is_ok()
    }

    async fn carry_out<D: Driver>(&self, driver: &mut D, word: &str, id: u32) -> Result<()> {
        match word {
            "corrupt" => return Err(StoreError::Corrupt("as asked".to_owned())),
            "panic" => panic!("as asked"),
            "conflict" if self.is_in_trouble() => return Err(StoreError::Conflict { what: "the probe" }),
            "die" if self.is_in_trouble() => drop(driver.run(vec![call(&KILL, vec![], vec![])]).await?),
            "swallow" => drop(driver.run(vec![call(&WRONG, vec![], vec![])]).await),
            "widen" => drop(driver.run(vec![call(&WIDEN, vec![], vec![])]).await?),
            "fill" => {
                let data = Value::Blob(vec![7; 1 << 20]);
                let row = vec![Value::Int(id.into()), Value::Null, data];
                return driver.run(vec![call(&INSERT, vec![], vec![row])]).await.map(drop);
            }
            "wait" => {
                let gate = self.gate.lock().unwrap().take();
                gate.expect("one deed waits once").recv().unwrap();
            }
            _ => {}
        }
        driver.run(vec![insert(id.into(), word)]).await.map(drop)
    }
}

impl Transact for Arc<Probe> {
    async fn transact<'t, D: Driver + 't>(&'t self, mut driver: D, requests: &'t [Request]) -> Result<Done> {
        self.batches.lock().unwrap().push(requests.len());
        let mut done = Done { replies: vec![], events: vec![], waits_until: None };
        for request in requests {
            let Command::KeepTime { max: id } = request.command else { panic!("a deed is a KeepTime") };
            let word = request.idempotency.as_ref().map_or("", |key| key.key.as_str());
            self.carry_out(&mut driver, word, id).await?;
            done.replies.push(Ok(Reply::Moved(id)));
            done.events.push(event(id));
        }
        Ok(done)
    }

    fn forget(&self) {
        self.forgotten.fetch_add(1, Ordering::SeqCst);
    }
}

fn event(id: u32) -> Event {
    Event {
        seq: EventSeq(id.into()),
        at: Timestamp::from_ms(0),
        project_id: ProjectId(1),
        work_item_id: None,
        run_id: None,
        fact: Fact::ProjectUpdated {},
    }
}

/// Random numbers that repeat.
#[derive(Default)]
pub(crate) struct Counting(AtomicU64);

impl Randomness for Counting {
    fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}
