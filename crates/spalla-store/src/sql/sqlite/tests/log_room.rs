//! Room in the log: commits overwrite it, and what was committed is found behind it.

use super::{Bench, ids};
use crate::sql::probe::{ALL, INSERT, call};
use crate::sql::sqlite::file::DatabaseFile;
use crate::sql::sqlite::session::Session;
use crate::sql::statement::Value;

/// Commits a row of so many bytes.
fn commit(session: &mut Session, id: i64, bytes: usize) {
    let row = vec![Value::Int(id), Value::Null, Value::Blob(vec![7; bytes])];
    session.begin().unwrap();
    session.run_call(&call(&INSERT, vec![], vec![row])).unwrap();
    session.commit().unwrap();
}

#[test]
fn commits_go_into_a_log_that_was_made_longer_and_are_found_there() {
    let bench = Bench::new();
    let log = bench.folder.path().join("probe.db-wal");
    let length = || std::fs::metadata(&log).unwrap().len();
    let mut session = bench.session();
    commit(&mut session, 1, 10_000);
    let short = length();
    assert!(short < 100_000, "a short log has no room");
    commit(&mut session, 2, 300_000);
    let long = length();
    assert!(long > short + 1_000_000);
    for id in 3..13 {
        commit(&mut session, id, 10_000);
        assert_eq!(length(), long);
    }
    // What a process finds after this one was killed: both files as they are.
    let copy = bench.folder.path().join("copy.db");
    std::fs::copy(bench.file.path(), &copy).unwrap();
    std::fs::copy(&log, bench.folder.path().join("copy.db-wal")).unwrap();
    let mut session = Session::open_writer(&DatabaseFile::find_or_make(&copy).unwrap()).unwrap();
    let rows = session.run_call(&call(&ALL, vec![], vec![])).unwrap().rows;
    assert_eq!(ids(&rows), (1..13).collect::<Vec<_>>());
}
