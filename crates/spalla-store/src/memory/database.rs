//! The tables of the store in memory.

use super::table::Table;
use crate::document::{Document, Kind};
use crate::tx::{EndedRun, KeptReply, LogChunk, PlaceRow, QueueKey, Sequence};
use crate::view::DocumentFilter;
use spalla_domain::approval::Approval;
use spalla_domain::event::Event;
#[cfg(feature = "plant")]
use spalla_domain::plant::{self, Plant};
use spalla_domain::project::Project;
use spalla_domain::queue::{Entry, Place};
use spalla_domain::quota::{Usage, UtcDay};
use spalla_domain::work_item::{When, WorkItem};
use spalla_domain::{ApprovalId, EventSeq, ProjectId, QueueId, RunId, Timestamp, WorkItemId};

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
                #[cfg(feature = "plant")]
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
    /// What projects used, by day.
    usage: (ProjectId, UtcDay) => Usage,
    /// Documents.
    documents: (Kind, i64) => Document,
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
    /// Counts the runs of a project, or of all, that are not over.
    pub(crate) fn active_runs(&self, project_id: Option<ProjectId>) -> u32 {
        let is_counted = |row: &&PlaceRow| {
            project_id.is_none_or(|id| row.project_id == id) && matches!(row.placed.place, Place::Leased(_))
        };
        self.places.values().filter(is_counted).count() as u32
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
                if run.lease.is_none() && run.holds == 0 {
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
