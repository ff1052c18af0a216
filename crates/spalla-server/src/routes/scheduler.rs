//! The scheduler: enqueue and requeue, ticks, claims of many runs at once, and what failed for good.

use super::work_items::{self, find};
use crate::access::Reach;
use crate::api::Api;
use crate::api::routes;
use crate::extract::{Id, Params, Wish};
use crate::problem::Problem;
use crate::state::App;
use crate::wire::Empty;
use crate::wire::claim::{ClaimAnswer, ClaimBody, ExchangeAnswer, ExchangeBody};
use crate::wire::list::{Listed, list_query};
use crate::wire::number::{IdInPath, IdNumber};
use crate::wire::queue::Enqueued;
use crate::wire::scheduler::{DeadLetter, EnqueueBody, RequeueItemBody, RequeueRunBody, TickAnswer};
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::IntoResponse;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Deserialize;
use spalla_domain::access::Resource;
use spalla_domain::{ProjectId, RunId, WorkItemId, work_item};
use spalla_store::command::Requeued;
use spalla_store::view::{Page, RunFilter, WorkItemFilter, WorkItemView};
use spalla_store::{Command, Reply};
use std::collections::BTreeSet;
use utoipa::IntoParams;

/// The most runs that one tick makes: a tick is one transaction, and the next one goes on.
const TICK_RUNS_MAX: u32 = 10_000;
/// How many histories are read at the same time for a page of dead letters.
const HISTORIES_AT_ONCE: usize = 8;
/// How many runs of a dead letter are shown: more than any retry policy makes.
const HISTORY_RUNS_MAX: u32 = 100;

/// Adds the routes.
pub(super) fn add(api: Api) -> Api {
    api.add(routes!(enqueue))
        .add(routes!(tick))
        .add(routes!(claim))
        .add(routes!(exchange))
        .add(routes!(requeue_work_item))
        .add(routes!(requeue_run))
        .add(routes!(list_dead_letters))
}

/// Puts a work item into the queue; further wishes join its entry there
#[utoipa::path(post, path = "/scheduler/enqueue", tag = "scheduler", request_body = EnqueueBody,
    responses((status = 201, description = "The queue entry.", body = Enqueued)))]
async fn enqueue(State(app): State<App>, wish: Wish<EnqueueBody>) -> Result<impl IntoResponse, Problem> {
    app.admit_entries(1).await?;
    app.admit_for_aliases(&wish.key.reach, &[wish.body.work_item_id()]).await?;
    let entry = app.execute(wish.body.into(), wish.key).await?;
    let (id, entry) = show(&app, entry).await?;
    Ok((StatusCode::CREATED, [(header::LOCATION, format!("/work-items/{id}"))], Json(entry)))
}

/// Brings a work item back into the queue, whatever became of it
#[utoipa::path(post, path = "/scheduler/requeue/work-item", tag = "scheduler", request_body = RequeueItemBody,
    responses((status = 200, description = "The queue entry.", body = Enqueued)))]
async fn requeue_work_item(
    State(app): State<App>,
    wish: Wish<RequeueItemBody>,
) -> Result<Json<Enqueued>, Problem> {
    app.admit_for_aliases(&wish.key.reach, &[WorkItemId(wish.body.work_item_id.get())]).await?;
    let entry = app.execute(wish.body.into_command()?, wish.key).await?;
    Ok(Json(show(&app, entry).await?.1))
}

/// Brings the work item of a run back into the queue, whatever became of it
#[utoipa::path(post, path = "/scheduler/requeue/run/{id}", tag = "scheduler", params(IdInPath),
    request_body = Option<RequeueRunBody>,
    responses((status = 200, description = "The queue entry.", body = Enqueued)))]
async fn requeue_run(
    State(app): State<App>,
    Id(id): Id<RunId>,
    wish: Wish<RequeueRunBody>,
) -> Result<Json<Enqueued>, Problem> {
    if let Some(run) = app.read().run(id).await? {
        app.admit_for_aliases(&wish.key.reach, &[run.work_item_id]).await?;
    }
    let entry = app.execute(wish.body.into_command(Requeued::Run(id))?, wish.key).await?;
    Ok(Json(show(&app, entry).await?.1))
}

async fn show(app: &App, reply: Reply) -> Result<(WorkItemId, Enqueued), Problem> {
    match reply {
        Reply::Entry { id, work_item_id } => {
            Ok((work_item_id, Enqueued::new(id, &find(app, work_item_id).await?)))
        }
        other => Err(Problem::unexpected_reply(&other)),
    }
}

/// When a tick does anything.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct TickQuery {
    /// Does nothing where the server makes runs by itself: what workers say, since a run that is made before anybody is
    /// free to take it stands in an order that can't change any more.
    if_needed: Option<bool>,
}

/// Gives every eligible entry a run; safe to call from many places at once
#[utoipa::path(post, path = "/scheduler/tick", tag = "scheduler", params(TickQuery), request_body = Option<Empty>,
    responses((status = 200, description = "What was started, and what could not be.", body = TickAnswer)))]
async fn tick(State(app): State<App>, wish: Wish<Empty, TickQuery>) -> Result<Json<TickAnswer>, Problem> {
    if wish.params.if_needed == Some(true) && app.engine.ticks_by_itself() {
        return Ok(Json(TickAnswer::new(vec![], vec![])));
    }
    let (command, reach) =
        (Command::Tick { max: TICK_RUNS_MAX, external_only: false }, wish.key.reach.clone());
    match app.execute(command, wish.key).await? {
        Reply::Ticked { mut started, mut blocked } => {
            // A tick is for all; what it did is told to whom it concerns.
            let seen = seen(&app, &reach, started.iter().map(|run| run.work_item_id)).await?;
            started.retain(|run| seen.contains(&run.work_item_id));
            let seen = self::seen(&app, &reach, blocked.iter().map(|held| held.work_item_id)).await?;
            blocked.retain(|held| seen.contains(&held.work_item_id));
            Ok(Json(TickAnswer::new(started, blocked)))
        }
        other => Err(Problem::unexpected_reply(&other)),
    }
}

/// Returns those of some work items that a caller reaches.
async fn seen(
    app: &App,
    reach: &Reach,
    items: impl Iterator<Item = WorkItemId>,
) -> Result<BTreeSet<WorkItemId>, Problem> {
    let mut seen: BTreeSet<_> = items.collect();
    if reach.projects().is_some() {
        for id in seen.clone() {
            let item = app.read().work_item(id).await?;
            if !item.is_some_and(|view| reach.has(view.item.project_id)) {
                seen.remove(&id);
            }
        }
    }
    Ok(seen)
}

/// Takes pending runs first, then eligible entries; waits where there is nothing
#[utoipa::path(post, path = "/scheduler/claim", tag = "scheduler", request_body = ClaimBody,
    responses((status = 200, description = "The runs with their leases.", body = ClaimAnswer)))]
async fn claim(State(app): State<App>, wish: Wish<ClaimBody>) -> Result<Json<ClaimAnswer>, Problem> {
    let (request, wait) = wish.body.into_request()?;
    match app.claim(Command::Claim(request), wish.key, wait).await? {
        Reply::Claimed(runs) => Ok(Json(runs.into())),
        other => Err(Problem::unexpected_reply(&other)),
    }
}

/// Completes a batch, extends leases and claims the next runs, in one transaction
#[utoipa::path(post, path = "/scheduler/exchange", tag = "scheduler", request_body = ExchangeBody,
    responses((status = 200, description = "What was done, and the next runs.", body = ExchangeAnswer)))]
async fn exchange(State(app): State<App>, wish: Wish<ExchangeBody>) -> Result<Json<ExchangeAnswer>, Problem> {
    let (mut exchange, wait) = wish.body.into_exchange()?;
    app.vault.redact_completions(&mut exchange.completed).await?;
    match app.claim(Command::Exchange(exchange), wish.key, wait).await? {
        Reply::Exchanged(reply) => Ok(Json((*reply).into())),
        other => Err(Problem::unexpected_reply(&other)),
    }
}

list_query! {
    /// Which dead letters are shown.
    DeadLettersQuery {
        /// Of this project.
        #[param(inline)]
        project_id: Option<IdNumber>,
    }
}

/// Lists the work items that failed for good, each with its runs
#[utoipa::path(get, path = "/scheduler/dead-letters", tag = "scheduler", params(DeadLettersQuery),
    responses((status = 200, description = "The dead letters.", body = Vec<DeadLetter>)))]
async fn list_dead_letters(
    State(app): State<App>,
    uri: Uri,
    reach: Reach,
    Params(query): Params<DeadLettersQuery>,
) -> Result<Listed<DeadLetter>, Problem> {
    let paging = query.paging();
    let filter = WorkItemFilter {
        project_id: query.project_id.map(|id| ProjectId(id.get())),
        status: Some(work_item::Status::Failed),
        ..WorkItemFilter::default()
    };
    let found = work_items::page(&app, &reach, &filter, paging.page).await?;
    let total = if paging.count { Some(work_items::count(&app, &reach, &filter).await?) } else { None };
    let last = found.last().map(|view| view.item.id.0);
    let letters = stream::iter(found).map(|view| dead_letter(&app, &reach, view)).buffered(HISTORIES_AT_ONCE);
    Ok(Listed::new(letters.try_collect().await?, last, &uri, paging, total))
}

async fn dead_letter(app: &App, reach: &Reach, view: WorkItemView) -> Result<DeadLetter, Problem> {
    let filter = RunFilter { work_item_id: Some(view.item.id), ..RunFilter::default() };
    let page = Page { limit: HISTORY_RUNS_MAX, before: None, offset: 0 };
    let mut runs = app.read().runs(filter, page).await?;
    // Whoever may read items need not be somebody who may read runs.
    runs.retain(|run| reach.may_read(Resource::Run, &run.target()));
    Ok(DeadLetter { work_item: view.into(), runs: runs.into_iter().map(Into::into).collect() })
}
