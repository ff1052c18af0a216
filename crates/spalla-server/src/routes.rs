//! What is served, one file per resource. A route reads wire types, asks the engine or the store's reads, and
//! answers with wire types.

mod agent_definitions;
mod agent_pool;
mod agents;
mod aliases;
mod approvals;
mod artifacts;
mod audit;
mod bulk;
mod conversation;
mod docs;
mod errors;
mod events;
mod found_commands;
pub(crate) mod github;
mod health;
mod home;
mod info_requests;
mod log_follow;
mod mcp;
mod messages;
mod metrics;
mod projects;
mod queue;
mod quotas;
mod recipes;
mod refused_hosts;
mod requirements;
mod route;
mod run_events;
mod run_logs;
mod runs;
mod scheduler;
mod schedules;
mod scorecards;
mod scratchpads;
mod session_parts;
mod session_plan;
mod sessions;
#[cfg(feature = "oidc")]
mod sign_in;
mod tokens;
mod traces;
mod webhooks;
mod work_items;
mod workers;

use crate::api::Api;

/// Adds every route; those of signing in where people do.
pub(crate) fn add_all(api: Api, people_sign_in: bool) -> Api {
    let groups = [
        home::add,
        projects::add,
        requirements::add,
        quotas::add,
        work_items::add,
        bulk::add,
        recipes::add,
        approvals::add,
        runs::add,
        workers::add,
        found_commands::add,
        refused_hosts::add,
        run_events::add,
        run_logs::add,
        log_follow::add,
        artifacts::add,
        info_requests::add,
        messages::add,
        agents::add,
        agent_definitions::add,
        aliases::add,
        mcp::add,
        scheduler::add,
        queue::add,
        schedules::add,
        scratchpads::add,
        sessions::add,
        session_parts::add,
        session_plan::add,
        route::add,
        agent_pool::add,
        scorecards::add,
        errors::add,
        events::add,
        conversation::add,
        health::add,
        metrics::add,
        traces::add,
        audit::add,
        tokens::add,
        webhooks::add,
        github::add,
        docs::add,
    ];
    let api = groups.into_iter().fold(api, |api, add| add(api));
    if people_sign_in { add_sign_in(api) } else { api }
}

#[cfg(feature = "oidc")]
use sign_in::add as add_sign_in;

/// Nobody signs in without the feature.
#[cfg(not(feature = "oidc"))]
fn add_sign_in(api: Api) -> Api {
    api
}
