//! The tests of the store from outside: one suite of claims, and one comparison by random scripts, on every store.

mod conformance;
mod differential;
mod fixture;
#[expect(dead_code, unreachable_pub, reason = "shared with the tests of the drivers, which use the rest")]
mod postgres_fixture;
