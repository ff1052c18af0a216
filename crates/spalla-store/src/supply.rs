//! What there is for runs, and what they hold: workers, pools, and the queues whose runs don't find what they need.

use crate::crew::NOTE_MS;
use crate::store::Settings;
use crate::tx::{HeardWorker, HeldRuns, KnownQueue, QueueKey};
use crate::view::{AgentView, PoolView, Supply, WorkerView};
use spalla_domain::concurrency::{Active, Limits, room};
use spalla_domain::resources::{Amounts, Pool, Pools};
use spalla_domain::run::Status;
use spalla_domain::{ProjectId, QueueId, RunId, Timestamp, WorkItemId, WorkerId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A worker that said nothing for so many notes is not reckoned with any more.
const NOTES_MISSED: i64 = 3;

/// What bounds the runs that go on at once, as it is configured.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bounds {
    /// How many there may be.
    pub(crate) limits: Limits,
    /// What there is of what they need.
    pub(crate) pools: Arc<Pools>,
}

impl From<&Settings> for Bounds {
    fn from(settings: &Settings) -> Self {
        Self { limits: settings.limits, pools: Arc::clone(&settings.pools) }
    }
}

/// What was read to weigh it up.
pub(crate) struct Found {
    pub(crate) workers: Vec<HeardWorker>,
    /// All runs that are not over.
    pub(crate) held: Vec<HeldRuns>,
    pub(crate) queues: Vec<KnownQueue>,
}

/// The most rows that are read of agents and what they work at: far more than agents are at work at once.
pub(crate) const AGENT_ROWS_MAX: i64 = 20_000;

/// An agent of a project, and one of its runs that somebody holds.
pub(crate) type AgentRow = (ProjectId, String, Option<(WorkItemId, RunId)>);

/// How the newest of the runs of each agent ended that did.
pub(crate) type LastEnded = BTreeMap<(ProjectId, String), Option<Status>>;

/// Puts the runs of each agent together; the rows come in the order of agents.
pub(crate) fn gather_agents(rows: Vec<AgentRow>, last_ended: &LastEnded) -> Vec<AgentView> {
    let mut agents = Vec::<AgentView>::new();
    for (project_id, agent, held) in rows {
        match agents.last_mut() {
            Some(last) if last.project_id == project_id && last.agent == agent => last.held.extend(held),
            _ => {
                let held = held.into_iter().collect();
                agents.push(AgentView { project_id, agent, held, last_ended: None });
            }
        }
    }
    for view in &mut agents {
        view.last_ended = last_ended.get(&(view.project_id, view.agent.clone())).copied().flatten();
    }
    agents
}

/// Weighs up what there is against what is held.
pub(crate) fn weigh(Bounds { limits, pools }: &Bounds, found: Found, now: Timestamp) -> Supply {
    let keys: BTreeMap<QueueId, QueueKey> =
        found.queues.into_iter().map(|queue| (queue.id, queue.key)).collect();
    let mut leases = BTreeMap::<WorkerId, (u32, Pool)>::new();
    let mut left: BTreeMap<&str, Pool> =
        pools.0.iter().map(|(name, capacity)| (name.as_str(), Pool::new(capacity.clone()))).collect();
    let crowded = crowded(*limits, &keys, &found.held);
    for HeldRuns { worker, runs, agent, wish, .. } in found.held {
        let Some(worker) = worker else { continue };
        let (count, pool) = leases.entry(worker).or_default();
        *count += runs;
        let Some(wish) = &wish else { continue };
        let of_agent = pools.of(agent.as_deref()).and_then(|(name, _)| left.get_mut(name));
        for pool in of_agent.into_iter().chain([pool]) {
            (0..runs).for_each(|_| pool.hold(wish));
        }
    }
    let workers: Vec<WorkerView> = found
        .workers
        .into_iter()
        .map(|HeardWorker { name, heard_at, offer }| {
            let (leases, pool) = leases.remove(&name).unwrap_or_default();
            WorkerView { name, heard_at, offer: offer.unwrap_or_default(), leases, reserved: pool.reserved }
        })
        .collect();
    let lately = now.plus_ms(-NOTE_MS * NOTES_MISSED);
    let short = keys.iter().filter(|(_, key)| {
        key.resources.as_ref().is_some_and(|wish| {
            let pool = pools.of(key.agent.as_deref()).and_then(|(name, _)| left.get(name));
            let mut able = workers
                .iter()
                .filter(|worker| worker.heard_at >= lately && worker.offer.takes(key.executor, &key.labels))
                .peekable();
            pool.is_some_and(|pool| pool.fits(wish).is_err())
                || (able.peek().is_some() && !able.any(|worker| has_room(worker, wish)))
        })
    });
    let short = short.map(|(id, _)| *id).collect();
    let pools = left.into_iter().map(|(name, pool)| PoolView { name: name.to_owned(), pool }).collect();
    Supply { workers, pools, short, crowded }
}

/// Returns the queues of which no further run may start, because as many are going on as are allowed at once.
fn crowded(limits: Limits, keys: &BTreeMap<QueueId, QueueKey>, live: &[HeldRuns]) -> BTreeSet<QueueId> {
    let mut of_projects = BTreeMap::<_, u32>::new();
    let mut of_agents = BTreeMap::<_, u32>::new();
    let mut global = 0;
    for HeldRuns { project_id, agent, runs, .. } in live {
        global += runs;
        *of_projects.entry(*project_id).or_default() += runs;
        *of_agents.entry(agent.as_deref()).or_default() += runs;
    }
    let is_crowded = |key: &QueueKey| {
        let project = of_projects.get(&key.project_id).copied().unwrap_or(0);
        let alias = of_agents.get(&key.agent.as_deref()).copied().unwrap_or(0);
        // The limit of an alias is about agents alone.
        let alias_limit = limits.alias.filter(|_| key.agent.is_some());
        room(Limits { alias: alias_limit, ..limits }, Active { global, project, alias }).runs == 0
    };
    keys.iter().filter(|(_, key)| is_crowded(key)).map(|(id, _)| *id).collect()
}

fn has_room(worker: &WorkerView, wish: &Amounts) -> bool {
    worker
        .offer
        .resources
        .clone()
        .is_none_or(|capacity| Pool { capacity, reserved: worker.reserved.clone() }.fits(wish).is_ok())
}
