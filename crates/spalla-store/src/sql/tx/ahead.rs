//! What was loaded before it was asked for. On a shared database every answer costs a round trip, so what is sure to
//! be asked next is sent along with what is asked now. It holds until something is written.

use crate::tx::{Body, Candidate, Changes, EdgeRow, Head, PlaceRow, Placed, Queues};
use spalla_domain::approval::Approval;
use spalla_domain::project::Project;
use spalla_domain::queue::Place;
use spalla_domain::{ProjectId, QueueId, RunId, WorkItemId};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Answers to questions to come. The rows behind them are locked, so they can't change meanwhile.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    pub(super) heads: Known<WorkItemId, Head>,
    pub(super) bodies: Known<WorkItemId, Body>,
    /// The places of items, which were looked for everywhere.
    pub(super) places: Known<WorkItemId, Placed>,
    /// The places of items by their live runs.
    pub(super) live: Known<RunId, Placed>,
    pub(super) log_ends: Known<RunId, (RunId, i64)>,
    pub(super) projects: Known<ProjectId, Project>,
    pub(super) above: Known<WorkItemId, EdgeRow>,
    pub(super) below: Known<WorkItemId, EdgeRow>,
    pub(super) approvals: Known<WorkItemId, Approval>,
    pub(super) queues: Option<Queues>,
    /// The best of what nobody holds, with the queues that were asked for and how many.
    pub(super) pending: Option<(Vec<QueueId>, u32, Vec<Candidate>)>,
    /// The best of what is ready, with the queues that were asked for.
    pub(super) ready: Option<(Vec<QueueId>, Vec<Candidate>)>,
    picked: BTreeSet<WorkItemId>,
    /// How often the rows of live runs were written; what this transaction writes is counted on.
    pub(super) revisions: HashMap<RunId, i64>,
}

impl Ahead {
    /// Takes note of items that were picked.
    pub(super) fn note_picked(&mut self, picked: &[Placed]) {
        self.picked.extend(picked.iter().map(|placed| placed.id));
    }

    /// Returns the items that were picked and not looked at since, once.
    pub(super) fn take_picked(&mut self) -> Vec<WorkItemId> {
        std::mem::take(&mut self.picked).into_iter().collect()
    }

    /// Takes note that items are looked at; tells whether they had been picked.
    pub(super) fn look_at(&mut self, ids: &[WorkItemId]) -> bool {
        let known = self.picked.len();
        for id in ids {
            self.picked.remove(id);
        }
        known - self.picked.len() == ids.len()
    }

    /// Forgets everything but the revisions: what was written may have changed it.
    pub(super) fn forget(&mut self) {
        *self = Self { revisions: std::mem::take(&mut self.revisions), ..Self::default() };
    }

    /// Counts on how often the rows of live runs are written.
    pub(super) fn note_written(&mut self, changes: &Changes) {
        let run_of = |row: &PlaceRow| match &row.placed.place {
            Place::Leased(run) => Some(run.id),
            _ => None,
        };
        self.revisions.extend(changes.entered.iter().filter_map(|row| Some((run_of(row)?, 0))));
        for (_, row) in &changes.moved_within {
            if let Some(revision) = run_of(row).and_then(|run| self.revisions.get_mut(&run)) {
                *revision += 1;
            }
        }
    }
}

/// Rows by what they were asked for, where all of them are known.
#[derive(Debug)]
pub(super) struct Known<K, R>(BTreeMap<K, Vec<R>>);

impl<K, R> Default for Known<K, R> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord + Copy, R> Known<K, R> {
    /// Keeps all rows that there are for what was asked.
    pub(super) fn keep(
        &mut self,
        asked: impl IntoIterator<Item = K>,
        rows: Vec<R>,
        key: impl Fn(&R) -> Option<K>,
    ) {
        self.0.extend(asked.into_iter().map(|key| (key, vec![])));
        for row in rows {
            if let Some(key) = key(&row) {
                self.0.entry(key).or_default().push(row);
            }
        }
    }

    /// Answers a question, where all of the answer is known. It is asked once.
    pub(super) fn answer(&mut self, asked: &[K]) -> Option<Vec<R>> {
        let is_known = asked.iter().all(|key| self.0.contains_key(key));
        is_known.then(|| asked.iter().filter_map(|key| self.0.remove(key)).flatten().collect())
    }
}
