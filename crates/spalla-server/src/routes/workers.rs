//! What a worker says of one run: claim, heartbeat, release. What it says of many at once is the scheduler's.

use crate::api::Api;
use crate::extract::{Id, Wish};
use crate::problem::Problem;
use crate::state::App;
use crate::wire::number::IdInPath;
use crate::wire::run::Run;
use crate::wire::worker::{ClaimedRun, HeartbeatBody, Orders, Release, RunClaim, holder, named, ttl_ms};
use axum::Json;
use axum::extract::State;
use spalla_domain::RunId;
use spalla_domain::claim::Heartbeat;
use spalla_store::{Command, Reply};
use utoipa_axum::routes;

/// Adds the routes.
pub(super) fn add(api: Api) -> Api {
    api.add(routes!(claim_run)).add(routes!(heartbeat)).add(routes!(release_run))
}

/// Takes a run that nobody holds
#[utoipa::path(post, path = "/work-items/runs/{id}/claim", tag = "runs", params(IdInPath), request_body = RunClaim,
    responses((status = 200, description = "The run with its lease and its fencing token.", body = ClaimedRun)))]
async fn claim_run(
    State(app): State<App>,
    Id(run_id): Id<RunId>,
    wish: Wish<RunClaim>,
) -> Result<Json<ClaimedRun>, Problem> {
    let worker = holder(wish.body.worker_id, wish.body.agent_id)?;
    let command = Command::ClaimRun { run_id, worker: worker.clone(), ttl_ms: ttl_ms(wish.body.ttl_seconds) };
    match app.execute(command, wish.key).await? {
        Reply::Claimed(mut runs) if runs.len() == 1 => {
            Ok(Json(ClaimedRun::new(runs.remove(0).into(), worker)))
        }
        other => Err(Problem::unexpected_reply(&other)),
    }
}

/// Extends the lease of a run
#[utoipa::path(post, path = "/work-items/runs/{id}/heartbeat", tag = "runs", params(IdInPath),
    request_body = HeartbeatBody, responses((status = 200, description = "What the worker is to do.", body = Orders)))]
async fn heartbeat(
    State(app): State<App>,
    Id(run_id): Id<RunId>,
    wish: Wish<HeartbeatBody>,
) -> Result<Json<Orders>, Problem> {
    let body = wish.body;
    let heartbeat = Heartbeat { run_id, fencing_token: body.fence() };
    let ttl_ms = ttl_ms(body.ttl_seconds);
    let worker = holder(body.worker_id, body.agent_id)?;
    match app.execute(Command::Heartbeat { heartbeat, worker, ttl_ms }, wish.key).await? {
        Reply::Heartbeat { cancel, pause } => Ok(Json(Orders { cancel, pause })),
        other => Err(Problem::unexpected_reply(&other)),
    }
}

/// Gives a run back unfinished; the next claim takes it
#[utoipa::path(post, path = "/work-items/runs/{id}/release", tag = "runs", params(IdInPath), request_body = Release,
    responses((status = 200, description = "The run, which nobody holds now.", body = Run)))]
async fn release_run(
    State(app): State<App>,
    Id(run_id): Id<RunId>,
    wish: Wish<Release>,
) -> Result<Json<Run>, Problem> {
    let fencing_token = wish.body.fence();
    named(wish.body.worker_id, wish.body.agent_id)?;
    app.execute(Command::HandBack(Heartbeat { run_id, fencing_token }), wish.key).await?;
    Ok(Json(super::runs::show(&app, run_id).await?))
}
