//! Statements that compare a token, in a file.

use super::super::file::DatabaseFile;
use super::super::session::{Session, Transaction};
use crate::sql::migrate;
use crate::sql::tx::trials;
use spalla_domain::Timestamp;

#[tokio::test]
async fn a_row_whose_token_moved_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let file = DatabaseFile::find_or_make(&folder.path().join("new.db")).unwrap();
    let mut session = Session::open_writer(&file).unwrap();
    migrate::run(&mut session, migrate::SQLITE, Timestamp::from_ms(5)).await.unwrap();
    session.begin().unwrap();
    trials::every_guard_meets_a_moved_token(&mut Transaction(&mut session)).await;
    session.commit().unwrap();
}
