//! Which agent a task is for.

use crate::api::Api;
use crate::api::routes;
use crate::extract::Wish;
use crate::problem::Problem;
use crate::routing::Unrouted;
use crate::state::App;
use crate::wire::route::{Route, RouteAnswer};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use spalla_router::Question;
use std::sync::Arc;

/// Adds the route.
pub(super) fn add(api: Api) -> Api {
    api.add(routes!(route))
}

/// Finds the agents that a task is for, with what speaks for and against each
///
/// Nothing is started and nothing is kept: the same question to the same index has the same answer.
#[utoipa::path(post, path = "/api/route", tag = "sessions",
    request_body(content = Route, example = json!({
        "task": "Write a Dockerfile for the billing service", "files": ["services/billing/main.go"], "top": 3})),
    responses((status = 200, description = "The agents, the best first.", body = RouteAnswer)))]
async fn route(State(app): State<App>, wish: Wish<Route>) -> Result<Json<RouteAnswer>, Problem> {
    let question = Question::from(wish.body);
    if question.task.trim().is_empty() && question.files.is_empty() {
        return Err(Problem::invalid("task", "it is empty, and no files are named; say what is to be done"));
    }
    let routing = Arc::clone(&app.routing);
    let answer = tokio::task::spawn_blocking(move || routing.route(&question)).await;
    let answer = answer.map_err(|_| Problem::internal())??;
    Ok(Json(RouteAnswer::from(&*answer)))
}

impl From<Unrouted> for Problem {
    fn from(unrouted: Unrouted) -> Self {
        let problem = Self::new(StatusCode::CONFLICT, "no_agents", unrouted.to_string());
        match unrouted {
            Unrouted::Nobody => problem,
            Unrouted::Unusable(_) => {
                problem.mend("publish the agents anew into the folder that agents.dir names")
            }
        }
    }
}
