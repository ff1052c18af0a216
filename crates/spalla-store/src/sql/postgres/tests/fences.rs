//! Statements that compare a token, in a database.

use super::super::session::{Purpose, Session, Transaction};
use super::super::target::Target;
use crate::sql::migrate;
use crate::sql::postgres_fixture::Cluster;
use crate::sql::tx::trials;
use spalla_domain::Timestamp;

#[tokio::test]
async fn a_row_whose_token_moved_is_not_written() {
    let target = Target::parse(&Cluster::shared().create_database()).unwrap();
    let mut session = Session::connect(&target, Purpose::Write).await.unwrap();
    migrate::run(&mut session, migrate::POSTGRES, Timestamp::from_ms(5)).await.unwrap();
    session.begin();
    trials::every_guard_meets_a_moved_token(&mut Transaction(&mut session)).await;
    session.commit().await.unwrap();
}
