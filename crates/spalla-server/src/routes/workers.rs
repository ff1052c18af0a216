//! What a worker says of one run: claim, heartbeat, release. What it says of many at once is the scheduler's. And who the
//! workers are, with what they have.

use crate::api::Api;
use crate::api::routes;
use crate::extract::{Id, Params, Wish};
use crate::problem::Problem;
use crate::state::App;
use crate::wire::list::{Limit, Listed, Offset, Paging};
use crate::wire::number::IdInPath;
use crate::wire::run::Run;
use crate::wire::supply::{ResourcePool, Worker};
use crate::wire::worker::{ClaimedRun, HeartbeatBody, Orders, Release, RunClaim, holder, named, ttl_ms};
use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use serde::Deserialize;
use spalla_domain::RunId;
use spalla_domain::claim::Heartbeat;
use spalla_store::{Command, Reply};
use utoipa::IntoParams;

/// Adds the routes.
pub(super) fn add(api: Api) -> Api {
    api.add(routes!(claim_run))
        .add(routes!(heartbeat))
        .add(routes!(release_run))
        .add(routes!(list_workers))
        .add(routes!(list_resource_pools))
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

/// Which workers are shown.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct WorkersQuery {
    /// How many at most; 50 when left out.
    #[param(inline)]
    limit: Option<Limit>,
    /// How many to leave out.
    #[param(inline)]
    offset: Option<Offset>,
    /// Counts the whole list into X-Total-Count.
    count: Option<bool>,
}

/// Lists the workers that were heard of within a day, by name, with what they have and what of it is reserved
#[utoipa::path(get, path = "/scheduler/workers", tag = "scheduler", params(WorkersQuery),
    responses((status = 200, description = "The workers.", body = Vec<Worker>)))]
async fn list_workers(
    State(app): State<App>,
    uri: Uri,
    Params(query): Params<WorkersQuery>,
) -> Result<Listed<Worker>, Problem> {
    let workers = app.read().supply(app.now()).await?.workers.into_iter().map(Worker::from).collect();
    Ok(part_of(workers, &uri, &query))
}

/// Lists the configured resource pools, and what of them is reserved
#[utoipa::path(get, path = "/scheduler/resource-pools", tag = "scheduler", params(WorkersQuery),
    responses((status = 200, description = "The pools.", body = Vec<ResourcePool>)))]
async fn list_resource_pools(
    State(app): State<App>,
    uri: Uri,
    Params(query): Params<WorkersQuery>,
) -> Result<Listed<ResourcePool>, Problem> {
    let pools = app.read().supply(app.now()).await?.pools.into_iter().map(ResourcePool::from).collect();
    Ok(part_of(pools, &uri, &query))
}

/// Returns the part of a short list that is wanted.
fn part_of<T>(all: Vec<T>, uri: &Uri, query: &WorkersQuery) -> Listed<T> {
    let paging = Paging::new(query.limit, None, query.offset, query.count).by_offset();
    let total = paging.count.then_some(all.len() as u64);
    let (offset, limit) = (paging.page.offset as usize, paging.page.limit as usize);
    let part: Vec<T> = all.into_iter().skip(offset).take(limit).collect();
    Listed::new(part, None, uri, paging, total)
}
