//! Whether the server works.

use crate::api::Api;
use crate::api::routes;
use crate::extract::{NoParams, Params};
use crate::principal::Caller;
use crate::problem::Problem;
use crate::state::App;
use crate::wire::health::{CheckReport, Health, HealthDetails};
use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use spalla_domain::access::Resource;
use std::time::Duration;

/// How long a check may take before it counts as failed: longer than any read, shorter than a prober's patience.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// Adds the routes.
pub(super) fn add(api: Api) -> Api {
    api.add_also_at("/observability/health", routes!(health))
}

/// Tells whether the server works; the particulars only to who has the token
///
/// `ok`: every check is well. `degraded`: the server works and a check fails. A server that can't read its store
/// answers 503.
#[utoipa::path(get, path = "/health", tag = "observability",
    responses((status = 200, description = "It works.", body = Health)))]
async fn health(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    _: Params<NoParams>,
) -> Result<Json<Health>, Problem> {
    let depths = match tokio::time::timeout(CHECK_TIMEOUT, app.read().depths()).await {
        Ok(Ok(depths)) => depths,
        Ok(Err(error)) => return Err(unhealthy(&error.to_string())),
        Err(_) => return Err(unhealthy(&format!("no answer within {} seconds", CHECK_TIMEOUT.as_secs()))),
    };
    let reports = app.health.reports();
    let status = if reports.iter().all(|report| report.error.is_none()) { "ok" } else { "degraded" };
    let details = HealthDetails {
        version: app.version.clone(),
        uptime_seconds: app.started.elapsed().as_secs(),
        checks: reports.into_iter().map(CheckReport::from).collect(),
        queue: depths.into(),
        newest_event_id: app.events.newest().0,
        streams: app.places.taken(),
    };
    Ok(Json(Health { status, details: Some(details).filter(|_| caller.sees_all(Resource::Metric)) }))
}

fn unhealthy(error: &str) -> Problem {
    tracing::error!(error, "the store can't be read");
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unhealthy", "the store can't be read")
        .mend("look into the server's log")
        .retry_after(1)
}
