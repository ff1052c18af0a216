//! Processes of agents that the worker in this process keeps for further runs.

use crate::api::Api;
use crate::api::routes;
use crate::state::App;
use crate::wire::agent_pool::AgentPool;
use axum::Json;
use axum::extract::State;

/// Adds the routes.
pub(super) fn add(api: Api) -> Api {
    api.add(routes!(list_agent_pools))
}

/// Lists the processes of agents that are kept for further runs, by agent and project
#[utoipa::path(get, path = "/api/pool", tag = "sessions",
    responses((status = 200, description = "The processes of the worker in this server; those of others are not known here.",
        body = Vec<AgentPool>)))]
async fn list_agent_pools(State(app): State<App>) -> Json<Vec<AgentPool>> {
    Json(app.sessions.pool().into_iter().map(AgentPool::from).collect())
}
