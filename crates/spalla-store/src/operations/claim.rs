//! Claim: hand runs to a worker under a lease, pending ones first, then eligible entries, best first.

use super::keep_time::expire;
use super::stock::Stock;
use super::{fair_share, quotas};
use crate::command::Reply;
use crate::desk::{Answer, Desk, Run};
use crate::error::{ExecuteError, StoreError};
use crate::trace::trace_id;
use crate::tx::{Body, EndedRun, Placed, Result, Sequence, Tx};
use spalla_domain::claim::{Assignment, CLAIM_RUNS_MAX, ClaimRequest, Heartbeat};
use spalla_domain::limits::{Limits, Said, Source};
#[cfg(debug_assertions)]
use spalla_domain::plant::{self, Plant};
use spalla_domain::problem::Code;
use spalla_domain::queue::{self, Place, Step};
use spalla_domain::quota::Used;
use spalla_domain::work_item::{TIMEOUT_MS_DEFAULT, WorkItem};
use spalla_domain::{Fence, QueueId, Refusal, RunId, WorkItemId, WorkerId, run};
use std::collections::BTreeMap;

/// Claims up to `max` runs.
pub(crate) async fn claim<T: Tx>(desk: &mut Desk<'_, T>, request: &ClaimRequest) -> Result<Vec<Assignment>> {
    desk.hear(&request.worker_id, Some(request.offer()));
    let max = request.max.min(CLAIM_RUNS_MAX);
    if max == 0 {
        return Ok(vec![]);
    }
    let queues = queues(desk, request).await?;
    if queues.is_empty() {
        return Ok(vec![]);
    }
    let mut stock = Stock::take(desk, request).await?;
    let queues = stock.sift(desk, queues);
    let takes_eligible = desk.context.settings.claims_take_eligible;
    let then_ready = takes_eligible && !quotas::is_capped(desk, &queues, &stock);
    let held_by_nobody = desk.pending_queues(&queues);
    let then_ready = then_ready && held_by_nobody.len() == queues.len();
    let pending = match held_by_nobody.as_slice() {
        [] => vec![],
        some => desk.tx.pick_pending(some, max, then_ready).await?,
    };
    let fits = |desk: &Desk<'_, T>, queue| stock.reserve(desk.need(queue));
    let pending = fair_share::take(desk, pending, max, fits).await?;
    let mut taken = take(desk, pending, request).await?;
    // Runs that were there before may have log lines.
    let known = taken.len();
    let room = max - taken.len() as u32;
    if room > 0 && takes_eligible {
        let ready = quotas::pick_ready(desk, &queues, room, &mut stock).await?;
        desk.reserve(Sequence::Run, ready.len()).await?;
        taken.extend(take(desk, ready, request).await?);
    }
    assignments(desk, &taken, known).await
}

async fn queues<T: Tx>(desk: &mut Desk<'_, T>, request: &ClaimRequest) -> Result<Vec<QueueId>> {
    let (offer, scope) = (request.offer(), desk.scope.clone());
    let may_see = |id| scope.as_ref().is_none_or(|scope| scope.projects.has(id));
    let all = desk.waiting_queues().await?.iter();
    let fit = all.filter(|(key, _)| offer.takes(key.executor, &key.labels) && may_see(key.project_id));
    Ok(fit.map(|(_, id)| *id).collect())
}

/// Leases the picked items; passes over what an earlier command of this batch took.
async fn take<T: Tx>(
    desk: &mut Desk<'_, T>,
    picked: Vec<Placed>,
    request: &ClaimRequest,
) -> Result<Vec<WorkItemId>> {
    let mut taken = vec![];
    for id in desk.adopt(picked).await? {
        match lease(desk, id, &request.worker_id, request.ttl_ms).await {
            Ok(()) => taken.push(id),
            Err(ExecuteError::Refused(_)) => {}
            Err(ExecuteError::Store(error)) => return Err(error),
        }
    }
    Ok(taken)
}

/// Leases one item: a run of it that nobody holds, or a new one.
async fn lease<T: Tx>(desk: &mut Desk<'_, T>, id: WorkItemId, worker: &WorkerId, ttl_ms: i64) -> Answer<()> {
    let now = desk.context.now;
    let item = desk.item(id).await?;
    let (standing, place, project_id) = (item.standing, item.place.clone(), item.head.project_id);
    let worker = worker.clone();
    let step = match &place {
        Place::Leased(live) => {
            let command = run::Command::Claim { worker, ttl_ms };
            let step = run::transition(live, standing.attempt, standing.fence, command, now)?;
            let run::Next::Live(live) = step.next else {
                return Err(StoreError::Corrupt(format!("claiming run {} ended it", live.id)).into());
            };
            let standing = queue::Standing { fence: step.fence, ..standing };
            Step { place: Place::Leased(live), standing, facts: step.facts }
        }
        place => {
            let run_id = RunId(desk.next_id(Sequence::Run).await?);
            desk.use_up(project_id, Used::start());
            queue::transition(place, standing, queue::Command::Claim { run_id, worker, ttl_ms }, now)?
        }
    };
    desk.step(id, step);
    Ok(())
}

/// Claims one run by its id.
pub(crate) async fn claim_run<T: Tx>(
    desk: &mut Desk<'_, T>,
    run_id: RunId,
    worker: &WorkerId,
    ttl_ms: i64,
) -> Answer<Reply> {
    desk.hear(worker, None);
    let id = match desk.run(run_id).await? {
        Run::Live(id) => id,
        Run::Ended(run) => return Err(over(run_id, run.outcome.status()).into()),
    };
    // A holder whose time is over may have been the last one allowed.
    expire(desk, id).await?;
    match desk.run(run_id).await? {
        Run::Live(_) => {
            find_resources(desk, id, worker).await?;
            lease(desk, id, worker, ttl_ms).await?;
        }
        Run::Ended(run) => return Err(over(run_id, run.outcome.status()).into()),
    }
    desk.write_rows().await?;
    Ok(Reply::Claimed(assignments(desk, &[id], 1).await?))
}

/// Refuses where the pool of its agent has not what the run of an item needs. What the worker has is not known here.
async fn find_resources<T: Tx>(desk: &mut Desk<'_, T>, id: WorkItemId, worker: &WorkerId) -> Answer<()> {
    desk.write_rows().await?;
    let request = ClaimRequest {
        worker_id: worker.clone(),
        max: 1,
        ttl_ms: 0,
        executors: vec![],
        labels: vec![],
        resources: None,
    };
    let queue = desk.item(id).await?.head.queue;
    desk.know_queue(queue).await?;
    let mut stock = Stock::take(desk, &request).await?;
    if stock.reserve(desk.need(queue)) {
        return Ok(());
    }
    let detail = format!("what work item {id} needs is reserved for other runs of its agent");
    Err(Refusal::new(Code::Resources, detail).mend("wait until one of them ends").into())
}

/// Says that a run is over.
pub(crate) fn over(run: RunId, status: run::Status) -> Refusal {
    Refusal::new(Code::RunEnded, format!("run {run} is over: {}", status.as_str()))
}

/// Refuses what a holder says of a run that is over. An old token lost its lease before that, and is told just this.
pub(crate) fn over_to(holder: Fence, run: &EndedRun) -> Refusal {
    #[cfg(debug_assertions)]
    if plant::is(Plant::StalenessUntold) {
        return over(run.id, run.outcome.status());
    }
    if holder < run.fence { run::stale(run.id, holder) } else { over(run.id, run.outcome.status()) }
}

/// Returns the work item of a run that is not over, for whoever holds it.
pub(crate) async fn held<T: Tx>(desk: &mut Desk<'_, T>, holder: Heartbeat) -> Answer<WorkItemId> {
    let Heartbeat { run_id, fencing_token: fence } = holder;
    let item = match desk.run(run_id).await? {
        Run::Live(item) => item,
        Run::Ended(run) => return Err(over_to(fence, &run).into()),
    };
    let on_desk = desk.item(item).await?;
    let Some(live) = on_desk.live_run() else { return Err(over(run_id, run::Status::Lost).into()) };
    run::may_write(live, on_desk.standing.fence, fence)?;
    Ok(item)
}

/// Tells a worker all it needs to carry its runs out. The first `known` runs may have log lines.
async fn assignments<T: Tx>(
    desk: &mut Desk<'_, T>,
    ids: &[WorkItemId],
    known: usize,
) -> Result<Vec<Assignment>> {
    if ids.is_empty() {
        return Ok(vec![]);
    }
    let mut bodies: BTreeMap<_, _> =
        desk.tx.bodies(ids).await?.into_iter().map(|body| (body.item.id, body)).collect();
    let store_id = desk.context.store_id;
    let mut assignments = Vec::with_capacity(ids.len());
    for id in ids {
        let item = desk.item(*id).await.map_err(internal)?;
        let (Some(live), Some(body)) = (item.live_run(), bodies.remove(id)) else {
            return Err(StoreError::Corrupt(format!("work item {id} was claimed and has no run or no text")));
        };
        assignments.push(assignment(store_id, &item.standing, live, body));
    }
    let known = &mut assignments[..known];
    desk.load_log_ends(known.iter().map(|assignment| assignment.run_id)).await?;
    for assignment in known {
        assignment.next_log_seq = desk.log_end(assignment.run_id).await?;
    }
    Ok(assignments)
}

fn internal(error: ExecuteError) -> StoreError {
    match error {
        ExecuteError::Store(error) => error,
        ExecuteError::Refused(refusal) => StoreError::Corrupt(refusal.to_string()),
    }
}

fn assignment(store_id: &str, standing: &queue::Standing, live: &run::LiveRun, body: Body) -> Assignment {
    let Body { item, repository, project_limits } = body;
    let WorkItem { id, project_id, spec, policy, .. } = item;
    Assignment {
        run_id: live.id,
        work_item_id: id,
        project_id,
        fencing_token: standing.fence,
        expires_at: live.lease.as_ref().map_or(live.created_at, |lease| lease.until),
        attempt: standing.attempt,
        trace_id: trace_id(store_id, live.id),
        next_log_seq: 1,
        executor: spec.executor,
        agent: spec.agent,
        title: spec.title,
        description: spec.description,
        prompt: spec.prompt,
        labels: spec.labels,
        recipe: spec.recipe,
        adapter: spec.adapter,
        definition: spec.definition,
        token_budget: policy.token_budget,
        timeout_ms: spec.timeout_ms.unwrap_or(TIMEOUT_MS_DEFAULT),
        limits: said_limits(project_limits, spec.limits),
        repository,
    }
}

/// Returns what the project and the item say of how much commands may use.
fn said_limits(project: Option<Limits>, item: Option<Limits>) -> Vec<Said> {
    let said = [(Source::Project, project), (Source::Item, item)];
    said.into_iter().filter_map(|(source, limits)| Some(Said { source, limits: limits? })).collect()
}
