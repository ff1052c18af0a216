//! The server as its clients see it: over real sockets, with a store in memory and a clock that the tests own.

mod access;
mod answer;
mod approvals;
mod claims;
mod errors;
mod events;
mod guard;
mod idempotency;
mod lists;
mod logs;
mod observability;
mod openapi;
mod pages;
mod projects;
mod raw;
mod recipes;
mod runs;
mod scheduler;
mod schema;
mod shutdown;
mod sqlite;
mod timeouts;
mod work_items;
mod world;
