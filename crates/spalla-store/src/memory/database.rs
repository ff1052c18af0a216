//! The tables of the store in memory.

use super::table::Table;
use crate::crew::WORKER_KEPT_MS;
use crate::document::{Document, Kind};
use crate::tx::{EndedRun, HeardWorker, HeldRuns, KeptReply, LogChunk, PlaceRow, QueueKey, Sequence};
use crate::view::DocumentFilter;
use spalla_domain::approval::Approval;
use spalla_domain::artifact::{Artifact, ArtifactPath, Totals};
use spalla_domain::audit;
use spalla_domain::event::Event;
#[cfg(debug_assertions)]
use spalla_domain::plant::{self, Plant};
use spalla_domain::project::Project;
use spalla_domain::queue::{Entry, Place};
use spalla_domain::quota::{Usage, UtcDay};
use spalla_domain::work_item::{When, WorkItem};
use spalla_domain::{
    ApprovalId, ArtifactId, AuditId, EventSeq, ProjectId, QueueId, RunId, Timestamp, WorkItemId, WorkerId,
};
use std::collections::BTreeMap;

/// An ordering key within a queue.
pub(crate) type Order = (QueueId, i64, WorkItemId);

macro_rules! tables {
    ($($(#[$doc:meta])* $name:ident: $key:ty => $value:ty,)*) => {
        /// All tables.
        #[derive(Debug, Default)]
        pub(crate) struct Database { $($(#[$doc])* pub(crate) $name: Table<$key, $value>,)* }

        impl Database {
            /// Makes what was written last.
            pub(crate) fn commit(&mut self) { $(self.$name.commit();)* }

            /// Undoes what was written since the last commit.
            pub(crate) fn roll_back(&mut self) {
                #[cfg(debug_assertions)]
                if plant::is(Plant::EventOutsideTransaction) {
                    self.events.commit();
                }
                $(self.$name.roll_back();)*
            }
        }
    };
}

tables! {
    /// The last id of each sequence.
    sequences: Sequence => i64,
    /// Projects.
    projects: ProjectId => Project,
    /// Work items, each with its queue.
    items: WorkItemId => (QueueId, WorkItem),
    /// Queues.
    queues: QueueId => QueueKey,
    /// Entries.
    entries: WorkItemId => Entry,
    /// Where items stand.
    places: WorkItemId => PlaceRow,
    /// Ready items in their order.
    ready: Order => (),
    /// Items whose live run can be claimed, in their order.
    pending: Order => (),
    /// Delayed items in the order of their time.
    due: (Timestamp, WorkItemId) => (),
    /// Live runs.
    live: RunId => WorkItemId,
    /// Runs that are over.
    ended: RunId => EndedRun,
    /// Edges by parent.
    below: (WorkItemId, WorkItemId) => When,
    /// Edges by child.
    above: (WorkItemId, WorkItemId) => When,
    /// Approvals.
    approvals: ApprovalId => Approval,
    /// Log chunks.
    log_chunks: (RunId, i64) => LogChunk,
    /// Artifacts.
    artifacts: (RunId, ArtifactPath) => Artifact,
    /// Parts of artifacts.
    artifact_chunks: (ArtifactId, u32) => Vec<u8>,
    /// Entries of the audit.
    audit: AuditId => audit::Entry,
    /// Where the audit ends.
    audit_head: () => audit::chain::Head,
    /// What projects used, by day.
    usage: (ProjectId, UtcDay) => Usage,
    /// Documents.
    documents: (Kind, i64) => Document,
    /// Workers that said something lately.
    workers: WorkerId => HeardWorker,
    /// Kept replies.
    replies: String => KeptReply,
    /// Events.
    events: EventSeq => Event,
}

/// Both ends of the range of pairs that begin with one key.
pub(crate) fn all_of(id: WorkItemId) -> std::ops::RangeInclusive<(WorkItemId, WorkItemId)> {
    (id, WorkItemId(i64::MIN))..=(id, WorkItemId(i64::MAX))
}

impl Database {
    /// Counts the runs that are not over: of a project, of an agent, or of all.
    pub(crate) fn active_runs(&self, project_id: Option<ProjectId>, agent: Option<&str>) -> u32 {
        let is_of = |row: &PlaceRow, agent| {
            self.queues.get(&row.queue).is_some_and(|key| key.agent.as_deref() == Some(agent))
        };
        let is_counted = |row: &&PlaceRow| {
            project_id.is_none_or(|id| row.project_id == id)
                && agent.is_none_or(|agent| is_of(row, agent))
                && matches!(row.placed.place, Place::Leased(_))
        };
        self.places.values().filter(is_counted).count() as u32
    }

    /// Counts the runs that workers hold, by queue and worker: all, or those alone that need something.
    pub(crate) fn held_runs(&self, all: bool) -> Vec<HeldRuns> {
        let mut held = BTreeMap::<_, u32>::new();
        for id in self.live.values() {
            let Some(row) = self.places.get(id) else { continue };
            let needs = || self.queues.get(&row.queue).is_some_and(|key| key.resources.is_some());
            if let Place::Leased(run) = &row.placed.place
                && (all || (run.lease.is_some() && needs()))
            {
                let worker = run.lease.as_ref().map(|lease| lease.worker.clone());
                *held.entry((row.queue, worker)).or_default() += 1;
            }
        }
        let named = |((queue, worker), runs)| {
            let key = self.queues.get(&queue)?;
            let QueueKey { project_id, agent, resources: wish, .. } = key.clone();
            Some(HeldRuns { queue, project_id, agent, wish, worker, runs })
        };
        held.into_iter().filter_map(named).collect()
    }

    /// Returns the workers that were heard of since a moment.
    pub(crate) fn heard_since(&self, since: Timestamp) -> Vec<HeardWorker> {
        self.workers.values().filter(|worker| worker.heard_at >= since).cloned().collect()
    }

    /// Takes note of a worker, and forgets those that said nothing for long.
    pub(crate) fn hear(&mut self, worker: HeardWorker) {
        let before = worker.heard_at.plus_ms(-WORKER_KEPT_MS);
        let gone: Vec<_> = self
            .workers
            .values()
            .filter(|known| known.heard_at < before)
            .map(|known| known.name.clone())
            .collect();
        for name in gone {
            self.workers.take(&name);
        }
        let offer = worker.offer.or_else(|| self.workers.get(&worker.name)?.offer.clone());
        self.workers.put(worker.name.clone(), HeardWorker { offer, ..worker });
    }

    /// Returns what a run left, in the order of the paths.
    pub(crate) fn artifacts_of(&self, run: RunId) -> impl Iterator<Item = &Artifact> {
        self.artifacts.values().filter(move |artifact| artifact.run_id == run)
    }

    /// Counts what a run left.
    pub(crate) fn artifact_totals(&self, run: RunId) -> Totals {
        let all = self.artifacts_of(run);
        all.fold(Totals::default(), |known, artifact| Totals {
            count: known.count + 1,
            bytes: known.bytes + artifact.bytes,
        })
    }

    /// Returns the documents of a kind, oldest first.
    pub(crate) fn documents_of(&self, kind: Kind) -> impl DoubleEndedIterator<Item = &Document> {
        self.documents.range((kind, i64::MIN)..=(kind, i64::MAX)).map(|(_, document)| document)
    }

    /// Returns the documents that a list shows, newest first.
    pub(crate) fn listed_documents(&self, filter: DocumentFilter) -> impl Iterator<Item = &Document> {
        let DocumentFilter { kind, owner, status } = filter;
        let of_kind = self.documents_of(kind).rev();
        of_kind
            .filter(move |document| owner.is_none_or(|owner| document.owner == owner))
            .filter(move |document| status.is_none_or(|status| document.status == status))
    }

    /// Puts a place in, with everything that is found through it.
    pub(crate) fn enter(&mut self, row: PlaceRow) -> bool {
        self.index(&row, true);
        self.places.put(row.placed.id, row)
    }

    /// Takes a place out if it is still as it was loaded.
    pub(crate) fn leave(&mut self, row: &PlaceRow) -> bool {
        if self.places.get(&row.placed.id) != Some(row) {
            return false;
        }
        self.index(row, false);
        self.places.take(&row.placed.id).is_some()
    }

    fn index(&mut self, row: &PlaceRow, is_in: bool) {
        let id = row.placed.id;
        let order = (row.queue, row.placed.standing.prio, id);
        match &row.placed.place {
            Place::Ready => set(&mut self.ready, order, (), is_in),
            Place::Delayed { due_at } => set(&mut self.due, (*due_at, id), (), is_in),
            Place::Leased(run) => {
                set(&mut self.live, run.id, id, is_in);
                if run.lease.is_none() && run.holds == 0 && !run.paused {
                    set(&mut self.pending, order, (), is_in);
                }
            }
            Place::Open | Place::Blocked(_) | Place::Finished(_) => {}
        }
    }
}

fn set<K: Ord + Clone, V: Clone>(table: &mut Table<K, V>, key: K, value: V, is_in: bool) {
    if is_in {
        table.put(key, value);
    } else {
        table.take(&key);
    }
}
