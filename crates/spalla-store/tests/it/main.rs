//! The tests of the store from outside: one suite of claims, and one comparison by random scripts, on every store.

mod conformance;
mod differential;
mod fixture;
mod postgres_fixture;
