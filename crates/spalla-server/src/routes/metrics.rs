//! Metrics for Prometheus.

use crate::api::Api;
use crate::api::routes;
use crate::extract::{NoParams, Params};
use crate::meters::Gauges;
use crate::problem::Problem;
use crate::state::App;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use std::sync::atomic::Ordering;

/// The format that Prometheus reads.
const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Adds the routes.
pub(super) fn add(api: Api) -> Api {
    api.add_also_at("/observability/metrics", routes!(metrics))
}

/// Shows the metrics
#[utoipa::path(get, path = "/metrics", tag = "observability",
    responses((status = 200, description = "The metrics.", body = String,
        content_type = "text/plain")))]
async fn metrics(State(app): State<App>, _: Params<NoParams>) -> Result<impl IntoResponse, Problem> {
    let gauges = Gauges {
        depths: app.read().depths().await?,
        newest: app.read().newest_event().await?,
        streams: app.places.taken(),
        connections: app.connections.load(Ordering::Relaxed),
        uptime: app.started.elapsed(),
        checks: app.health.reports(),
    };
    Ok(([(header::CONTENT_TYPE, MEDIA_TYPE)], app.meters.render(&gauges)))
}
