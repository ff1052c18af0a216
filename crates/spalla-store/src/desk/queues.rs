//! Queues on the desk: what claimers choose by, with what limits and what needs their runs have. And the workers that were
//! heard of.

use super::Desk;
use crate::document::{ProjectQuota, Starvation};
use crate::operations::starvation;
use crate::tx::{HeardWorker, KnownQueue, QueueKey, Queues, Result, Sequence, Tx};
use spalla_domain::claim::Offer;
use spalla_domain::resources::Amounts;
use spalla_domain::work_item::Executor;
use spalla_domain::{ProjectId, QueueId, WorkerId};
use std::collections::{BTreeMap, BTreeSet};

/// What limits how many runs of a queue go on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Caps {
    /// Its project, where that has a quota or a limit.
    pub(crate) project: Option<ProjectId>,
    /// Its agent, where agents have a limit.
    pub(crate) alias: Option<String>,
}

/// What a run of a queue needs, and of whose pool.
#[derive(Debug, Clone)]
pub(crate) struct Need {
    /// The agent.
    pub(crate) agent: Option<String>,
    /// How much.
    pub(crate) wish: Amounts,
}

/// What the desk knows of queues.
#[derive(Default)]
pub(crate) struct KnownQueues {
    ids: BTreeMap<QueueKey, QueueId>,
    /// Whether these are all there are. Where there are many, only those were loaded in which something waited.
    is_whole: bool,
    caps: BTreeMap<QueueId, Caps>,
    needs: BTreeMap<QueueId, Need>,
    /// Those whose runs an agent carries out.
    of_agents: BTreeSet<QueueId>,
    projects: BTreeMap<QueueId, ProjectId>,
    heads: BTreeMap<QueueId, i64>,
    pending: BTreeSet<QueueId>,
}

impl<T: Tx> Desk<'_, T> {
    /// Returns the queues there are, except those of archived projects. Where there are many, these are those in which
    /// something waited for a claimer when they were loaded, and those of the batch.
    pub(crate) async fn queues(&mut self) -> Result<&BTreeMap<QueueKey, QueueId>> {
        if self.queues.is_none() {
            let Queues { found, is_whole } = self.tx.queues().await?;
            self.queues = Some(KnownQueues { is_whole, ..KnownQueues::default() });
            found.into_iter().for_each(|queue| self.note_queue(queue));
        }
        Ok(&self.queues.get_or_insert_default().ids)
    }

    /// Returns the queues from which a claimer may take something now. Everything that the batch did is written before.
    pub(crate) async fn waiting_queues(&mut self) -> Result<&BTreeMap<QueueKey, QueueId>> {
        self.write_rows().await?;
        if self.queues.as_ref().is_some_and(|known| !known.is_whole) {
            self.forget_queues();
        }
        self.queues().await
    }

    /// Returns whose a queue is.
    pub(crate) fn project_of(&self, queue: QueueId) -> Option<ProjectId> {
        self.queues.as_ref()?.projects.get(&queue).copied()
    }

    /// Leaves out queues that have no run that nobody holds, as far as that is known.
    pub(crate) fn pending_queues(&self, queues: &[QueueId]) -> Vec<QueueId> {
        match &self.queues {
            Some(known) if !known.is_whole => {
                queues.iter().filter(|queue| known.pending.contains(queue)).copied().collect()
            }
            _ => queues.to_vec(),
        }
    }

    /// Leaves out queues of which nothing can be among so many that are taken: in each project those whose best is
    /// better than theirs are enough.
    pub(crate) fn best_queues(&self, queues: Vec<QueueId>, limit: u32) -> Vec<QueueId> {
        let Some(known) = self.queues.as_ref().filter(|known| !known.is_whole) else { return queues };
        let mut of_projects = BTreeMap::<_, Vec<(i64, QueueId)>>::new();
        for queue in queues {
            // One of which no head is known has nothing that is ready.
            if let Some(head) = known.heads.get(&queue) {
                of_projects.entry(known.projects.get(&queue)).or_default().push((*head, queue));
            }
        }
        let best = of_projects.into_values().flat_map(|mut heads| {
            heads.sort_unstable();
            // Several may have the same key, and then the item's number decides.
            let last = heads.get((limit as usize).saturating_sub(1)).map_or(i64::MAX, |(head, _)| *head);
            heads.into_iter().take_while(move |(head, _)| *head <= last)
        });
        best.map(|(_, queue)| queue).collect()
    }

    /// Lets the clock look whether agents starve, from the first queue of one on.
    async fn watch_agents(&mut self) -> Result<()> {
        let patience_ms = self.context.settings.heartbeat_miss_ms;
        if patience_ms > 0 && self.document::<Starvation>(Starvation::ID).await?.is_none() {
            let look_at = starvation::next_look(self.context.now, patience_ms);
            self.keep(&Starvation { waiting: vec![], look_at })?;
        }
        Ok(())
    }

    /// Takes note of a queue and of what is special about it.
    fn note_queue(&mut self, KnownQueue { id, key, is_capped, head, is_pending }: KnownQueue) {
        let limits = self.context.settings.limits;
        let known = self.queues.get_or_insert_default();
        let project = (is_capped || limits.project.is_some()).then_some(key.project_id);
        let alias = key.agent.clone().filter(|_| limits.alias.is_some());
        if project.is_some() || alias.is_some() {
            known.caps.insert(id, Caps { project, alias });
        }
        if let Some(wish) = &key.resources {
            known.needs.insert(id, Need { agent: key.agent.clone(), wish: wish.clone() });
        }
        known.of_agents.extend((key.executor == Executor::Agent).then_some(id));
        known.projects.insert(id, key.project_id);
        known.heads.extend(head.map(|head| (id, head)));
        known.pending.extend(is_pending.then_some(id));
        known.ids.insert(key, id);
    }

    /// Makes sure that what is special about a queue is known.
    pub(crate) async fn know_queue(&mut self, id: QueueId) -> Result<()> {
        self.queues().await?;
        if self.project_of(id).is_none() {
            let found = self.tx.load_queues(&[id]).await?;
            found.into_iter().for_each(|queue| self.note_queue(queue));
        }
        Ok(())
    }

    /// Returns what limits the runs of a queue.
    pub(crate) fn caps(&self, queue: QueueId) -> Option<&Caps> {
        self.queues.as_ref()?.caps.get(&queue)
    }

    /// Tells whether an agent carries out the runs of a queue.
    pub(crate) fn is_of_agent(&self, queue: QueueId) -> bool {
        self.queues.as_ref().is_some_and(|known| known.of_agents.contains(&queue))
    }

    /// Returns what a run of a queue needs.
    pub(crate) fn need(&self, queue: QueueId) -> Option<&Need> {
        self.queues.as_ref()?.needs.get(&queue)
    }

    /// Tells whether the runs of some queue need something.
    pub(crate) fn has_needs(&self) -> bool {
        self.queues.as_ref().is_some_and(|known| !known.needs.is_empty())
    }

    /// Takes note that a worker said something, and what it offers where it says so.
    pub(crate) fn hear(&mut self, worker: &WorkerId, offer: Option<Offer>) {
        let heard_at = self.context.now;
        if self.context.timekeeper.crew.is_news(worker, offer.as_ref(), heard_at) {
            self.staged.workers_heard.push(HeardWorker { name: worker.clone(), heard_at, offer });
        }
    }

    /// Lets the queues be loaded anew: an archived project's are none any more.
    pub(crate) fn forget_queues(&mut self) {
        self.queues = None;
    }

    /// Looks for the queues of these keys together, where not all are known.
    pub(crate) async fn look_for_queues(&mut self, keys: impl IntoIterator<Item = QueueKey>) -> Result<()> {
        let is_known = |known: &KnownQueues, key: &QueueKey| known.is_whole || known.ids.contains_key(key);
        let is_missing = |key: &QueueKey| self.queues.as_ref().is_none_or(|known| !is_known(known, key));
        let missing: BTreeSet<_> = keys.into_iter().filter(is_missing).collect();
        if missing.is_empty() {
            return Ok(());
        }
        if let Some(found) = self.tx.remembered_queues(&missing) {
            found.into_iter().for_each(|queue| self.note_queue(queue));
            return Ok(());
        }
        let known = self.queues().await?;
        let missing: Vec<_> = missing.into_iter().filter(|key| !known.contains_key(key)).collect();
        if missing.is_empty() || self.queues.as_ref().is_some_and(|known| known.is_whole) {
            return Ok(());
        }
        let found = self.tx.find_queues(&missing).await?;
        found.into_iter().for_each(|queue| self.note_queue(queue));
        Ok(())
    }

    /// Returns the queue of a key, made where there is none. Where several are wanted, they are looked for together
    /// before.
    pub(crate) async fn queue(&mut self, key: QueueKey) -> Result<QueueId> {
        if let Some(id) = self.queues().await?.get(&key) {
            return Ok(*id);
        }
        let id = QueueId(self.next_id(Sequence::Queue).await?);
        let is_capped = self.document::<ProjectQuota>(key.project_id.0).await?.is_some();
        self.note_queue(KnownQueue { id, key: key.clone(), is_capped, head: None, is_pending: false });
        if key.agent.is_some() {
            self.watch_agents().await?;
        }
        self.staged.queues_made.push((id, key));
        Ok(id)
    }
}
