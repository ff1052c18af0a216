//! What is served, one file per resource. A route reads wire types, asks the engine or the store's reads, and
//! answers with wire types.

mod approvals;
mod bulk;
mod docs;
mod events;
mod health;
mod home;
mod info_requests;
mod log_follow;
mod metrics;
mod projects;
mod queue;
mod quotas;
mod recipes;
mod requirements;
mod run_logs;
mod runs;
mod scheduler;
mod schedules;
mod traces;
mod work_items;
mod workers;

use crate::api::Api;

/// Adds every route.
pub(crate) fn add_all(api: Api) -> Api {
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
        run_logs::add,
        log_follow::add,
        info_requests::add,
        scheduler::add,
        queue::add,
        schedules::add,
        events::add,
        health::add,
        metrics::add,
        traces::add,
        docs::add,
    ];
    groups.into_iter().fold(api, |api, add| add(api))
}
