//! The SQLite driver on real files.

use super::file::DatabaseFile;
use super::readers::Readers;
use super::session::{Session, Transaction};
use super::writer::SqliteWriter;
use crate::error::{ExecuteError, StoreError};
use crate::sql::driver::{Driver as _, Reader as _};
use crate::sql::probe::{
    ALL, DELETE, ECHO, INSERT, INSERT_RETURNING, Probe, REAL, SQLITE_BYTES, TABLE, UPDATE, WRONG, call, deed,
    insert, is_done, row,
};
use crate::sql::statement::{Answer, Row, Value};
use crate::store::{COMMITTED_BACKLOG, Committed, Outcome, Writer as _};
use futures_util::future::{join_all, poll_immediate};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use tempfile::TempDir;
use tokio::sync::broadcast;

mod fences;
mod log_room;
mod many;
mod migrations;

/// A database with the table of the probe.
struct Bench {
    folder: TempDir,
    file: DatabaseFile,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = DatabaseFile::find_or_make(&folder.path().join("probe.db")).unwrap();
        let mut session = Session::open_writer(&file).unwrap();
        session.run_script(TABLE, "making the table").unwrap();
        session.run_script(SQLITE_BYTES, "making the table").unwrap();
        Self { folder, file }
    }

    fn session(&self) -> Session {
        Session::open_writer(&self.file).unwrap()
    }

    fn readers(&self) -> Readers {
        Readers::new(self.file.clone())
    }

    fn writer(&self, probe: &Arc<Probe>) -> (SqliteWriter, broadcast::Receiver<Committed>) {
        self.writer_on(self.session(), probe)
    }

    fn writer_on(
        &self,
        session: Session,
        probe: &Arc<Probe>,
    ) -> (SqliteWriter, broadcast::Receiver<Committed>) {
        let (committed, heard) = broadcast::channel(COMMITTED_BACKLOG);
        let file = self.file.clone();
        let writer =
            SqliteWriter::start(file, session, self.readers(), Arc::clone(probe), committed).unwrap();
        (writer, heard)
    }

    async fn ids(&self) -> Vec<i64> {
        ids(&self.readers().read(call(&ALL, vec![], vec![])).await.unwrap())
    }
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

#[test]
fn values_come_back_as_they_went_in() {
    let bench = Bench::new();
    let mut session = bench.session();
    let rows = vec![
        vec![
            Value::Int(i64::MIN),
            Value::Text("naïve \u{0} 漢字 🦀".to_owned()),
            Value::Blob(vec![0, 255, 7]),
        ],
        vec![Value::Int(0), Value::Text(String::new()), Value::Blob(vec![])],
        vec![Value::Int(i64::MAX), Value::Null, Value::Null],
    ];
    let answer = session.run_call(&call(&INSERT, vec![], rows.clone())).unwrap();
    assert_eq!(answer, Answer { rows: vec![], written: 3 });
    assert_eq!(session.run_call(&call(&ALL, vec![], vec![])).unwrap(), Answer { rows, written: 0 });
    let scalars = vec![Value::Int(-1), Value::Text("é".to_owned()), Value::Blob(vec![1]), Value::Null];
    let echo = session.run_call(&call(&ECHO, scalars.clone(), vec![])).unwrap();
    assert_eq!(echo.rows, [scalars]);
}

#[tokio::test]
async fn calls_run_in_order_and_answer_in_order() {
    let bench = Bench::new();
    let mut session = bench.session();
    session.begin().unwrap();
    let pair = |id, body: &str| vec![Value::Int(id), Value::Text(body.to_owned())];
    let answers = Transaction(&mut session)
        .run(vec![
            call(&INSERT_RETURNING, vec![Value::Int(10)], vec![pair(3, "c"), pair(1, "a"), pair(2, "b")]),
            call(&UPDATE, vec![Value::Text("z".to_owned()), Value::Int(12)], vec![]),
            call(&INSERT, vec![], vec![]),
            call(&DELETE, vec![Value::Int(12)], vec![]),
            call(&ALL, vec![], vec![]),
        ])
        .await
        .unwrap();
    session.commit().unwrap();
    assert_eq!(
        answers,
        [
            Answer { rows: vec![pair(13, "c"), pair(11, "a"), pair(12, "b")], written: 3 },
            Answer { rows: vec![], written: 2 },
            Answer::default(),
            Answer { rows: vec![], written: 1 },
            Answer { rows: vec![row(11, "z"), row(13, "c")], written: 0 },
        ]
    );
}

#[test]
fn an_error_names_the_statement_and_rolls_everything_back() {
    let bench = Bench::new();
    let mut session = bench.session();
    session.begin().unwrap();
    session.run_call(&insert(1, "a")).unwrap();
    let twice = session.run_call(&insert(1, "b")).unwrap_err();
    assert!(matches!(twice, StoreError::Corrupt(_)) && twice.to_string().contains("probe/insert"), "{twice}");
    // Whoever overlooks the error does not get away with it.
    assert!(matches!(session.commit(), Err(StoreError::Corrupt(_))));
    session.rollback().unwrap();
    session.rollback().unwrap();
    assert_eq!(session.run_call(&call(&ALL, vec![], vec![])).unwrap().rows, Vec::<Row>::new());
}

#[test]
fn a_number_with_a_fraction_is_refused() {
    let error = Bench::new().session().run_call(&call(&REAL, vec![], vec![])).unwrap_err();
    assert!(error.to_string().contains("probe/real"), "{error}");
}

#[tokio::test]
async fn readers_read_beside_the_writer_and_cannot_write() {
    let bench = Bench::new();
    let (readers, mut session) = (bench.readers(), bench.session());
    session.begin().unwrap();
    session.run_call(&insert(1, "a")).unwrap();
    assert_eq!(ids(&readers.read(call(&ALL, vec![], vec![])).await.unwrap()), Vec::<i64>::new());
    session.commit().unwrap();
    assert_eq!(ids(&readers.read(call(&ALL, vec![], vec![])).await.unwrap()), [1]);
    let error = readers.read(insert(2, "b")).await.unwrap_err();
    assert!(matches!(error, StoreError::ReadOnly { .. }), "{error}");
    let wrong = readers.read(call(&WRONG, vec![], vec![])).await.unwrap_err();
    assert!(matches!(wrong, StoreError::Corrupt(_)), "{wrong}");
    readers.close();
    assert!(matches!(readers.read(call(&ALL, vec![], vec![])).await, Err(StoreError::Closed)));
}

/// Has the deeds executed in one batch; they are on the rows from 2 on.
async fn execute_together(writer: &SqliteWriter, probe: &Probe, words: &[&str]) -> Vec<Outcome> {
    let (open, gate) = sync_channel(1);
    *probe.gate.lock().unwrap() = Some(gate);
    let mut first = writer.execute(deed("wait", 1));
    assert!(poll_immediate(&mut first).await.is_none());
    while probe.batches().is_empty() {
        tokio::task::yield_now().await;
    }
    let mut others: Vec<_> = words.iter().zip(2..).map(|(word, id)| writer.execute(deed(word, id))).collect();
    for other in &mut others {
        assert!(poll_immediate(other).await.is_none());
    }
    open.send(()).unwrap();
    assert!(is_done(&first.await, 1));
    join_all(others).await
}

#[tokio::test]
async fn requests_that_arrive_during_a_commit_share_the_next_one() {
    let (bench, probe) = (Bench::new(), Probe::with_troubles(0));
    let (writer, mut heard) = bench.writer(&probe);
    for (outcome, id) in execute_together(&writer, &probe, &["put"; 100]).await.iter().zip(2..) {
        assert!(is_done(outcome, id), "{outcome:?}");
    }
    assert_eq!(probe.batches(), [1, 100]);
    assert_eq!(heard.recv().await.unwrap().events.len(), 1);
    assert_eq!(heard.recv().await.unwrap().events.len(), 100);
    assert_eq!(bench.ids().await, (1..102).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_request_that_spoils_its_batch_fails_alone() {
    for word in ["corrupt", "panic", "swallow", "conflict"] {
        let (bench, probe) = (Bench::new(), Probe::with_troubles(u32::MAX));
        let (writer, _heard) = bench.writer(&probe);
        let outcomes = execute_together(&writer, &probe, &["put", "put", word, "put", "put"]).await;
        let failed: Vec<usize> = (0..outcomes.len()).filter(|at| outcomes[*at].is_err()).collect();
        assert_eq!(failed, [2], "{word}: {outcomes:?}");
        assert_eq!(bench.ids().await, [1, 2, 3, 5, 6], "{word}");
    }
}

#[tokio::test]
async fn a_full_disk_is_said_and_the_writer_goes_on_when_there_is_room() {
    let (bench, probe) = (Bench::new(), Probe::with_troubles(0));
    let mut session = bench.session();
    session.run_script("pragma max_page_count = 64", "leaving little room").unwrap();
    let (writer, _heard) = bench.writer_on(session, &probe);
    assert!(is_done(&writer.execute(deed("put", 1)).await, 1));
    let error = store_error(writer.execute(deed("fill", 2)).await);
    assert!(matches!(error, StoreError::Full { .. }) && error.to_string().contains("probe.db"), "{error}");
    assert!(is_done(&writer.execute(deed("put", 3)).await, 3));
    assert!(is_done(&writer.execute(deed("widen", 4)).await, 4));
    assert!(is_done(&writer.execute(deed("fill", 5)).await, 5));
    assert_eq!(bench.ids().await, [1, 3, 4, 5]);
    assert_eq!(probe.forgotten.load(std::sync::atomic::Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_file_that_vanished_takes_no_writes_until_it_is_back() {
    let (bench, probe) = (Bench::new(), Probe::with_troubles(0));
    let (writer, _heard) = bench.writer(&probe);
    assert!(is_done(&writer.execute(deed("put", 1)).await, 1));
    let (path, aside) = (bench.file.path().to_owned(), bench.folder.path().join("aside"));
    std::fs::rename(&path, &aside).unwrap();
    let error = store_error(writer.execute(deed("put", 2)).await);
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
    assert!(error.to_string().contains("was removed or replaced while it was in use"), "{error}");
    std::fs::write(&path, b"").unwrap();
    assert!(matches!(store_error(writer.execute(deed("put", 3)).await), StoreError::Unavailable { .. }));
    std::fs::rename(&aside, &path).unwrap();
    assert!(is_done(&writer.execute(deed("put", 4)).await, 4));
    assert_eq!(bench.ids().await, [1, 4]);
}

#[tokio::test]
async fn closing_answers_what_was_taken_and_refuses_the_rest() {
    let (bench, probe) = (Bench::new(), Probe::with_troubles(0));
    let (writer, _heard) = bench.writer(&probe);
    let mut taken: Vec<_> = (1..=50).map(|id| writer.execute(deed("put", id))).collect();
    for request in &mut taken {
        let _ = poll_immediate(request).await;
    }
    tokio::join!(writer.close(), writer.close());
    assert!(matches!(store_error(writer.execute(deed("put", 51)).await), StoreError::Closed));
    drop(taken);
    let log = bench.folder.path().join("probe.db-wal");
    assert_eq!(std::fs::metadata(log).map_or(0, |log| log.len()), 0);
    assert_eq!(bench.ids().await, (1..=50).collect::<Vec<_>>());
}

#[test]
fn the_file_is_for_its_owner_alone() {
    let bench = Bench::new();
    let mut session = bench.session();
    session.begin().unwrap();
    session.run_call(&insert(1, "a")).unwrap();
    session.commit().unwrap();
    for ending in ["", "-wal", "-shm"] {
        let mode = std::fs::metadata(format!("{}{ending}", bench.file.path().display()))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{ending}");
    }
}

#[test]
fn a_file_that_cannot_be_used_is_refused_with_a_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("letter.txt");
    std::fs::write(&text, "Dear database, I am none. ".repeat(200)).unwrap();
    let open = |path: &Path| {
        let opened = DatabaseFile::find_or_make(path).and_then(|file| Session::open_writer(&file));
        let error = opened.err().unwrap();
        assert!(matches!(error, StoreError::Configuration(_)), "{error:?}");
        error.to_string()
    };
    let missing = open(&folder.path().join("not/there.db"));
    assert!(missing.ends_with("not does not exist; make it"), "{missing}");
    assert!(open(&text).ends_with(
        "letter.txt: the file is not a SQLite database; name another path, or move the file away"
    ));
    assert!(open(folder.path()).ends_with("it is no file; name a file in it"));
}
