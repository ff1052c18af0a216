//! The Postgres driver on a real server: statements and transactions. Outages and wake-ups have files of their own.

use super::PostgresWriter;
use super::readers::Readers;
use super::session::{Purpose, Session, Transaction};
use super::target::Target;
use crate::error::{ExecuteError, StoreError};
use crate::sql::driver::{Driver as _, Reader as _};
use crate::sql::postgres_fixture::Cluster;
use crate::sql::probe::{
    ALL, COUNT_CONNECTIONS, Counting, DEADLY_COMMIT, DELETE, ECHO, INSERT, INSERT_RETURNING, POSTGRES_BYTES,
    Probe, REAL, TABLE, UPDATE, WRONG, call, deed, insert, is_done, row,
};
use crate::sql::statement::{Answer, Call, Row, Value};
use crate::store::{COMMITTED_BACKLOG, Committed, Outcome, Writer as _};
use futures_util::future::join_all;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::broadcast;

mod fences;
mod locks;
mod migrations;
mod outages;
mod wakeups;

/// A database with the table of the probe.
struct Bench {
    cluster: &'static Cluster,
    url: String,
    target: Arc<Target>,
}

impl Bench {
    async fn new() -> Self {
        let cluster = Cluster::shared();
        let url = cluster.create_database();
        let target = prepare(&url).await;
        Self { cluster, url, target }
    }

    async fn session(&self) -> Session {
        Session::connect(&self.target, Purpose::Write).await.unwrap()
    }

    fn writer(&self, probe: &Arc<Probe>) -> (PostgresWriter, broadcast::Receiver<Committed>) {
        writer(&self.target, probe)
    }

    async fn rows(&self) -> Vec<Row> {
        rows(&self.target).await
    }

    async fn ids(&self) -> Vec<i64> {
        ids(&self.rows().await)
    }
}

/// Makes the table of the probe in an empty database.
async fn prepare(url: &str) -> Arc<Target> {
    let target = Arc::new(Target::parse(url).unwrap());
    let mut session = Session::connect(&target, Purpose::Setup).await.unwrap();
    session.run_script(TABLE, "making the table").await.unwrap();
    session.run_script(POSTGRES_BYTES, "making the table").await.unwrap();
    session.end().await;
    target
}

fn writer(target: &Arc<Target>, probe: &Arc<Probe>) -> (PostgresWriter, broadcast::Receiver<Committed>) {
    // Each writer is a server of its own, with a name of its own.
    static RANDOMNESS: std::sync::LazyLock<Arc<Counting>> = std::sync::LazyLock::new(Arc::default);
    let (committed, heard) = broadcast::channel(COMMITTED_BACKLOG);
    let readers = Readers::new(Arc::clone(target));
    let writer = PostgresWriter::start(target, readers, Arc::clone(probe), RANDOMNESS.clone(), committed);
    (writer, heard)
}

async fn rows(target: &Arc<Target>) -> Vec<Row> {
    Readers::new(Arc::clone(target)).read(all()).await.unwrap()
}

fn all() -> Call {
    call(&ALL, vec![], vec![])
}

fn ids(rows: &[Row]) -> Vec<i64> {
    let id = |row: &Row| match row[0] {
        Value::Int(id) => id,
        _ => panic!("{row:?}"),
    };
    rows.iter().map(id).collect()
}

fn store_error(outcome: Outcome) -> StoreError {
    match outcome {
        Err(ExecuteError::Store(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn values_come_back_as_they_went_in() {
    let bench = Bench::new().await;
    let mut session = bench.session().await;
    let rows = vec![
        vec![
            Value::Int(i64::MIN),
            Value::Text("naïve 漢字 🦀 \" ' \\ {,}".to_owned()),
            Value::Blob(vec![0, 255, 7]),
        ],
        vec![Value::Int(0), Value::Text(String::new()), Value::Blob(vec![])],
        vec![Value::Int(i64::MAX), Value::Null, Value::Null],
    ];
    let scalars = vec![Value::Int(-1), Value::Text("é".to_owned()), Value::Blob(vec![1]), Value::Int(1)];
    let calls = [
        call(&INSERT, vec![], rows.clone()),
        all(),
        call(&ECHO, scalars.clone(), vec![]),
        call(&ECHO, vec![Value::Null; 4], vec![]),
    ];
    let answers = session.run_calls(&calls).await.unwrap();
    assert_eq!(answers[0], Answer { rows: vec![], written: 3 });
    assert_eq!(answers[1].rows, rows);
    assert_eq!(answers[2].rows, [scalars]);
    assert_eq!(answers[3].rows, [vec![Value::Null; 4]]);
}

#[tokio::test]
async fn calls_run_in_order_and_answer_in_order() {
    let bench = Bench::new().await;
    let mut session = bench.session().await;
    session.begin();
    let pair = |id, body: &str| vec![Value::Int(id), Value::Text(body.to_owned())];
    let answers = Transaction(&mut session)
        .run(vec![
            call(&INSERT_RETURNING, vec![Value::Int(10)], vec![pair(3, "c"), pair(1, "a"), pair(2, "b")]),
            call(&UPDATE, vec![Value::Text("z".to_owned()), Value::Int(12)], vec![]),
            call(&INSERT, vec![], vec![]),
            call(&DELETE, vec![Value::Int(12)], vec![]),
            all(),
        ])
        .await
        .unwrap();
    session.commit().await.unwrap();
    assert_eq!(answers[0], Answer { rows: vec![pair(13, "c"), pair(11, "a"), pair(12, "b")], written: 3 });
    assert_eq!(answers[1], Answer { rows: vec![], written: 2 });
    assert_eq!(answers[2], Answer::default());
    assert_eq!(answers[3], Answer { rows: vec![], written: 1 });
    assert_eq!(answers[4].rows, [row(11, "z"), row(13, "c")]);
}

#[tokio::test]
async fn a_long_pipeline_keeps_its_order() {
    let bench = Bench::new().await;
    let mut session = bench.session().await;
    let mut calls = vec![insert(1, "")];
    let body = |number: usize| Value::Text(number.to_string());
    calls.extend((0..500).map(|number| call(&UPDATE, vec![body(number), Value::Int(1)], vec![])));
    calls.push(all());
    let answers = session.run_calls(&calls).await.unwrap();
    assert_eq!(answers.last().unwrap().rows, [row(1, "499")]);
}

#[tokio::test]
async fn the_first_error_of_a_pipeline_is_said_and_everything_is_rolled_back() {
    let bench = Bench::new().await;
    let mut session = bench.session().await;
    session.begin();
    let calls = [insert(1, "a"), insert(1, "b"), insert(2, "c"), all()];
    let error = session.run_calls(&calls).await.unwrap_err();
    assert!(error.is_conflict(), "{error}");
    // Whoever overlooks the error does not get away with it.
    assert!(matches!(session.commit().await, Err(StoreError::Corrupt(_))));
    session.rollback().await.unwrap();
    let wrong = session.run_calls(&[call(&WRONG, vec![], vec![])]).await.unwrap_err();
    assert!(matches!(wrong, StoreError::Corrupt(_)) && wrong.to_string().contains("probe/wrong"), "{wrong}");
    let real = session.run_calls(&[call(&REAL, vec![], vec![])]).await.unwrap_err();
    assert!(real.to_string().contains("column half is float4; cast it to bigint"), "{real}");
    assert_eq!(session.run_calls(&[all()]).await.unwrap()[0].rows, Vec::<Row>::new());
}

#[tokio::test]
async fn a_value_of_the_wrong_kind_is_a_defect_that_is_named() {
    let mut session = Bench::new().await.session().await;
    let scalars = vec![Value::Text("x".to_owned()), Value::Null, Value::Null, Value::Null];
    let error = session.run_calls(&[call(&ECHO, scalars, vec![])]).await.unwrap_err();
    let words = ":int is int8 to Postgres, and text was given; cast it in the statement";
    assert!(error.to_string().contains(words), "{error}");
    let row = vec![Value::Int(1), Value::Int(2), Value::Null];
    let error = session.run_calls(&[call(&INSERT, vec![], vec![row])]).await.unwrap_err();
    assert!(error.to_string().contains("column body of the rows is not of its kind"), "{error}");
}

#[tokio::test]
async fn of_two_that_lock_the_same_rows_in_another_order_one_meets_a_conflict() {
    let bench = Bench::new().await;
    let (mut one, mut other) = (bench.session().await, bench.session().await);
    one.run_calls(&[insert(1, "a"), insert(2, "b")]).await.unwrap();
    one.begin();
    other.begin();
    let delete = |id| [call(&DELETE, vec![Value::Int(id)], vec![])];
    one.run_calls(&delete(1)).await.unwrap();
    other.run_calls(&delete(2)).await.unwrap();
    let (second, first) = (delete(2), delete(1));
    let (waits, meets) = tokio::join!(one.run_calls(&second), other.run_calls(&first));
    let errors: Vec<StoreError> = [waits.err(), meets.err()].into_iter().flatten().collect();
    assert!(matches!(errors.as_slice(), [StoreError::Conflict { .. }]), "{errors:?}");
}

#[tokio::test]
async fn readers_cannot_write() {
    let bench = Bench::new().await;
    let readers = Readers::new(Arc::clone(&bench.target));
    let error = readers.read(insert(1, "a")).await.unwrap_err();
    assert!(matches!(error, StoreError::ReadOnly { .. }), "{error}");
    assert_eq!(readers.read(all()).await.unwrap(), Vec::<Row>::new());
    readers.close().await;
    assert!(matches!(readers.read(all()).await, Err(StoreError::Closed)));
}

#[tokio::test]
async fn many_requests_are_committed_by_two_connections() {
    let (bench, probe) = (Bench::new().await, Probe::with_troubles(0));
    let (writer, _heard) = bench.writer(&probe);
    let outcomes = join_all((1..=1_000).map(|id| writer.execute(deed("put", id)))).await;
    assert!(outcomes.iter().zip(1..).all(|(outcome, id)| is_done(outcome, id)));
    assert_eq!(bench.ids().await, (1..=1_000).collect::<Vec<_>>());
    assert!(probe.batches().len() < 100, "{:?}", probe.batches());
    writer.close().await;
}

#[tokio::test]
async fn a_request_that_spoils_its_batch_fails_alone() {
    for word in ["corrupt", "panic", "swallow"] {
        let (bench, probe) = (Bench::new().await, Probe::with_troubles(0));
        let (writer, _heard) = bench.writer(&probe);
        let words = ["put", "put", word, "put", "put"];
        let requests = words.into_iter().zip(1..).map(|(word, id)| writer.execute(deed(word, id)));
        let outcomes = join_all(requests).await;
        let failed: Vec<usize> = (0..words.len()).filter(|at| outcomes[*at].is_err()).collect();
        assert_eq!(failed, [2], "{word}: {outcomes:?}");
        assert_eq!(bench.ids().await, [1, 2, 4, 5], "{word}");
    }
}

#[tokio::test]
async fn a_conflict_is_tried_again_until_it_is_gone() {
    let (bench, probe) = (Bench::new().await, Probe::with_troubles(9));
    let (writer, _heard) = bench.writer(&probe);
    assert!(is_done(&writer.execute(deed("conflict", 1)).await, 1));
    assert_eq!(probe.batches(), [1; 10]);
    assert_eq!(probe.forgotten.load(Ordering::SeqCst), 9);
    probe.troubles.store(10, Ordering::SeqCst);
    let error = store_error(writer.execute(deed("conflict", 2)).await);
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
    assert!(error.to_string().contains("other writers moved the probe 10 times in a row"), "{error}");
    assert_eq!(bench.ids().await, [1]);
}

#[tokio::test]
async fn a_batch_whose_connection_is_killed_is_done_on_the_next_one() {
    let (bench, probe) = (Bench::new().await, Probe::with_troubles(3));
    let (writer, _heard) = bench.writer(&probe);
    assert!(is_done(&writer.execute(deed("die", 1)).await, 1));
    assert_eq!(probe.batches(), [1; 4]);
    assert_eq!(bench.ids().await, [1]);
}

#[tokio::test]
async fn a_connection_that_is_killed_in_its_commit_leaves_the_outcome_unknown() {
    let (bench, probe) = (Bench::new().await, Probe::with_troubles(0));
    bench.cluster.psql(&bench.url, DEADLY_COMMIT);
    let (writer, _heard) = bench.writer(&probe);
    let error = store_error(writer.execute(deed("deadly", 1)).await);
    assert!(matches!(error, StoreError::Unknown { .. }), "{error}");
    assert_eq!(probe.batches(), [1]);
    assert!(is_done(&writer.execute(deed("put", 2)).await, 2));
    assert_eq!(bench.ids().await, [2]);
}

#[tokio::test]
async fn closing_answers_what_was_taken_and_leaves_no_connection() {
    let (bench, probe) = (Bench::new().await, Probe::with_troubles(0));
    let (writer, _heard) = bench.writer(&probe);
    let puts = join_all((1..=50).map(|id| writer.execute(deed("put", id))));
    let closing = async {
        tokio::task::yield_now().await;
        tokio::join!(writer.close(), writer.close());
    };
    let (outcomes, ()) = tokio::join!(puts, closing);
    assert!(outcomes.iter().zip(1..).all(|(outcome, id)| is_done(outcome, id)));
    assert!(matches!(store_error(writer.execute(deed("put", 51)).await), StoreError::Closed));
    assert_eq!(bench.ids().await.len(), 50);
    // The server takes a moment to end a process whose client has said goodbye.
    while bench.cluster.psql(&bench.url, COUNT_CONNECTIONS) != "0" {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_unix_socket_leads_to_the_same_database() {
    let bench = Bench::new().await;
    bench.session().await.run_calls(&[insert(1, "a")]).await.unwrap();
    let target = Arc::new(Target::parse(&bench.cluster.socket_url(&bench.url)).unwrap());
    assert_eq!(ids(&rows(&target).await), [1]);
}

#[tokio::test]
async fn whoever_cannot_connect_learns_where_to_look() {
    let bench = Bench::new().await;
    let connect = async |url: &str| {
        let target = Target::parse(url).unwrap();
        let error = Session::connect(&target, Purpose::Setup).await.err().unwrap();
        assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
        error.to_string()
    };
    let missing = connect(&bench.url.replace("test_", "missing_").replace("spalla@", "spalla:secret@")).await;
    assert!(missing.contains("127.0.0.1, port ") && missing.contains(", database missing_"), "{missing}");
    assert!(missing.ends_with("; create the database, or name another one"), "{missing}");
    assert!(!missing.contains("secret"), "{missing}");
    let stranger = connect(&bench.url.replace("spalla@", "nobody:secret@")).await;
    assert!(stranger.ends_with("; check user and password") && !stranger.contains("secret"), "{stranger}");
    let nothing = connect("postgresql://spalla:secret@127.0.0.1:1/x").await;
    assert!(nothing.contains("127.0.0.1, port 1, database x, user spalla: "), "{nothing}");
    assert!(nothing.ends_with("; check that Postgres runs there and lets this machine in"), "{nothing}");
}
