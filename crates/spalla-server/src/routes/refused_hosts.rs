//! Hosts that a run's proxy refused.

use crate::api::Api;
use crate::api::routes;
use crate::extract::{Id, Wish};
use crate::problem::Problem;
use crate::state::App;
use crate::wire::number::IdInPath;
use crate::wire::refused_host::RefusedHostReport;
use axum::extract::State;
use axum::http::StatusCode;
use spalla_domain::RunId;
use spalla_domain::claim::Heartbeat;
use spalla_store::Command;

/// Adds the routes.
pub(super) fn add(api: Api) -> Api {
    api.add(routes!(report_refused_hosts))
}

/// Reports hosts that a run's commands were refused; each is an event, once in a run
#[utoipa::path(post, path = "/work-items/runs/{id}/refused-hosts", tag = "runs", params(IdInPath),
    request_body = RefusedHostReport,
    responses((status = 204, description = "They are recorded.")))]
async fn report_refused_hosts(
    State(app): State<App>,
    Id(run_id): Id<RunId>,
    wish: Wish<RefusedHostReport>,
) -> Result<StatusCode, Problem> {
    let (fencing_token, mut hosts) = wish.body.into_parts();
    app.vault.redact_refused_hosts(run_id, &mut hosts).await?;
    let holder = Heartbeat { run_id, fencing_token };
    app.execute(Command::ReportRefusedHosts { holder, hosts }, wish.key).await?;
    Ok(StatusCode::NO_CONTENT)
}
