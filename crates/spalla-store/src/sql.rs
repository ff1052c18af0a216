//! The store over SQL: statements are files, and two drivers run them.

pub(crate) mod combiner;
pub(crate) mod driver;
pub(crate) mod migrate;
pub(crate) mod postgres;
#[cfg(test)]
#[path = "../tests/it/postgres_fixture.rs"]
#[expect(unreachable_pub, reason = "the integration tests, whose file it is, can reach it")]
pub(crate) mod postgres_fixture;
#[cfg(test)]
pub(crate) mod probe;
pub(crate) mod reads;
mod row;
pub(crate) mod sqlite;
pub(crate) mod statement;
mod statements;
pub(crate) mod transact;
pub(crate) mod tx;
