//! Migrations and the store's id in a file.

use super::super::at_once;
use super::super::file::DatabaseFile;
use super::super::session::Session;
use super::ids;
use crate::error::StoreError;
use crate::sql::migrate::{self, Migration};
use crate::sql::probe::{Counting, IDS, MIGRATIONS, WRONG_MIGRATION, call};
use spalla_domain::Timestamp;
use std::thread;
use tempfile::TempDir;

fn empty() -> (TempDir, DatabaseFile) {
    let folder = tempfile::tempdir().unwrap();
    let file = DatabaseFile::find_or_make(&folder.path().join("new.db")).unwrap();
    (folder, file)
}

fn migrate(file: &DatabaseFile, migrations: &[Migration]) -> Result<Vec<i64>, StoreError> {
    let mut session = Session::open_writer(file)?;
    at_once(migrate::run(&mut session, migrations, Timestamp::from_ms(5)))?;
    Ok(ids(&session.run_call(&call(&IDS, vec![], vec![]))?.rows))
}

#[test]
fn each_migration_is_applied_once_however_many_start_at_once() {
    let (_folder, file) = empty();
    assert_eq!(migrate(&file, &MIGRATIONS[..1]).unwrap(), Vec::<i64>::new());
    let starts: Vec<_> = (0..8)
        .map(|_| {
            let file = file.clone();
            thread::spawn(move || migrate(&file, &MIGRATIONS).unwrap())
        })
        .collect();
    for start in starts {
        assert_eq!(start.join().unwrap(), [1, 2]);
    }
}

#[test]
fn a_database_of_a_newer_program_is_refused() {
    let (_folder, file) = empty();
    migrate(&file, &MIGRATIONS).unwrap();
    let error = migrate(&file, &MIGRATIONS[..1]).unwrap_err();
    assert!(matches!(error, StoreError::NewerSchema { found: 2, known: 1 }), "{error}");
}

#[test]
fn a_migration_that_fails_leaves_nothing_behind() {
    let (_folder, file) = empty();
    migrate(&file, &MIGRATIONS).unwrap();
    let [first, second] = &MIGRATIONS;
    let copy = |migration: &Migration| Migration { ..*migration };
    let error = migrate(&file, &[copy(first), copy(second), copy(&WRONG_MIGRATION)]).unwrap_err();
    assert!(error.to_string().contains("migration 0003_wrong in "), "{error}");
    assert_eq!(migrate(&file, &MIGRATIONS).unwrap(), [1, 2]);
}

#[test]
fn a_store_keeps_its_id() {
    let (_folder, file) = empty();
    let randomness = Counting::default();
    let mut session = Session::open_writer(&file).unwrap();
    at_once(migrate::run(&mut session, migrate::SQLITE, Timestamp::from_ms(5))).unwrap();
    let id = at_once(migrate::store_id(&mut session, &randomness)).unwrap();
    assert_eq!(id.len(), 32);
    let mut again = Session::open_writer(&file).unwrap();
    assert_eq!(at_once(migrate::store_id(&mut again, &randomness)).unwrap(), id);
}
