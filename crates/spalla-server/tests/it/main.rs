//! The server as its clients see it: over real sockets, with a clock that the tests own and a store in
//! memory, or the one that `SPALLA_TEST_STORE` names.

mod access;
mod agent_definitions;
mod agents;
mod answer;
mod approvals;
mod artifacts;
mod attacks;
mod audit;
mod bulk;
mod claims;
mod cors;
mod errors;
mod events;
mod every_route;
mod found_commands;
mod guard;
mod health;
mod idempotency;
mod info_requests;
mod lists;
mod log_follow;
mod log_restart;
mod logs;
mod mcp;
mod messages;
mod observability;
#[cfg(feature = "oidc")]
mod oidc;
mod openapi;
mod pages;
mod policies;
#[path = "../../../spalla-store/tests/it/postgres_fixture.rs"]
#[expect(dead_code, unreachable_pub, reason = "the fixture is shared; each crate uses a part of it")]
mod postgres_fixture;
mod projects;
mod quotas;
mod rate_limit;
mod raw;
mod recipes;
mod refused_hosts;
mod requirements;
mod resources;
mod routing;
mod run_events;
mod run_tokens;
mod runs;
mod scheduler;
mod schedules;
mod schema;
mod scope;
mod scratchpads;
mod sessions;
mod shutdown;
mod sqlite;
mod timeouts;
mod tokens;
mod viewer;
mod webhooks;
mod work_items;
mod world;
