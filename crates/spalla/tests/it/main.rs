//! The program as its users meet it: the real binary, real HTTP, real processes, on SQLite and on Postgres.

mod access;
mod agent_definitions;
mod agents;
mod agents_served;
mod artifacts;
mod canary;
mod ci;
mod cloud_demos;
mod command_line;
mod containers;
mod crash_and_recover;
mod databases;
mod demo;
mod fake_github;
mod github;
mod history;
mod keychain;
mod life_of_a_work_item;
mod made_session;
mod mcp;
mod messages;
mod orchestrate;
mod pipelines;
mod process;
mod reattach;
mod remote_worker;
mod repository;
mod rest;
mod route;
mod routing_accuracy;
mod sandbox;
mod scratchpad;
mod scripted;
mod secret_files;
mod session;
mod session_apply;
mod session_apply_copy;
mod session_apply_killed;
mod session_in_place;
mod session_looks;
mod session_person;
mod session_plan;
mod session_server;
mod viewers;

#[path = "../../../spalla-store/tests/it/postgres_fixture.rs"]
#[expect(dead_code, unreachable_pub, reason = "the fixture is shared; each crate uses a part of it")]
mod postgres_fixture;
