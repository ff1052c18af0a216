//! Rows that the next transactions are sure to ask for: items with a run that is not over, as the last transaction left
//! them. Where this process alone writes, a commit of any other connection makes all of it forgotten. Where others write as
//! well, the row of the run is read and locked in any case, and tells how often it was written: an item holds as long as that
//! is as it was left.

use crate::tx::{Changes, Head, Placed};
use spalla_domain::queue::Place;
use spalla_domain::{RunId, WorkItemId};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// More runs than a busy server has under way; each takes less than a kilobyte.
const ITEMS_MAX: usize = 4_096;

/// Items by their live runs; shared by the transactions of a writer.
#[derive(Debug, Default)]
pub(crate) struct Warm(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// What the database said when it was last asked whether others wrote.
    version: Option<i64>,
    items: HashMap<WorkItemId, Kept>,
    runs: HashMap<RunId, WorkItemId>,
}

impl Known {
    fn of(&self, run: RunId) -> Option<&Kept> {
        self.items.get(self.runs.get(&run)?)
    }
}

#[derive(Debug)]
struct Kept {
    head: Head,
    placed: Placed,
    /// How often the run's row was written since it was made; not counted where this process alone writes.
    revision: i64,
}

impl Warm {
    /// Tells whether something is kept.
    pub(super) fn is_empty(&self) -> bool {
        self.with(|known| known.items.is_empty())
    }

    /// Takes note of what the database says now; if that is news, others wrote, and nothing is known any more.
    pub(super) fn compare(&self, version: i64) {
        self.with(|known| {
            if known.version != Some(version) {
                *known = Known { version: Some(version), ..Known::default() };
            }
        });
    }

    /// Returns the items of these runs, where all are kept.
    pub(super) fn of_runs(&self, runs: &[RunId]) -> Option<Vec<(Head, Placed)>> {
        self.with(|known| {
            let item = |kept: &Kept| (kept.head.clone(), kept.placed.clone());
            runs.iter().map(|run| known.of(*run).map(item)).collect()
        })
    }

    /// Tells whether the items of all these runs are kept, as they once were.
    pub(super) fn knows(&self, runs: &[RunId]) -> bool {
        self.with(|known| runs.iter().all(|run| known.of(*run).is_some()))
    }

    /// Returns of the items of runs those that are as they were left, going by how often the runs' rows were written.
    pub(super) fn heads(&self, runs: impl IntoIterator<Item = (RunId, i64)>) -> Vec<Head> {
        self.with(|known| {
            let kept = |(run, revision)| known.of(run).filter(|kept| kept.revision == revision);
            runs.into_iter().filter_map(kept).map(|kept| kept.head.clone()).collect()
        })
    }

    /// Keeps an item whose run goes on, as it is written, and how often that run's row was.
    pub(super) fn keep(&self, head: Head, placed: Placed, revision: i64) {
        let Place::Leased(run) = &placed.place else { return };
        let run = run.id;
        self.with(|known| {
            if known.items.len() >= ITEMS_MAX {
                known.items.clear();
                known.runs.clear();
            }
            known.runs.insert(run, head.id);
            known.items.insert(head.id, Kept { head, placed, revision });
        });
    }

    /// Forgets what is about to be written.
    pub(super) fn forget_changed(&self, changes: &Changes) {
        let items = changes.items_changed.iter().map(|(_, item)| item.id);
        let entries = changes.entries_changed.iter().chain(&changes.entries_made);
        let entries = entries.map(|(_, entry)| entry.work_item_id);
        let moved = changes.moved_within.iter().map(|(before, _)| before);
        let moved = changes.left.iter().chain(moved).map(|row| row.placed.id);
        self.with(|known| {
            if known.items.is_empty() {
                return;
            }
            for id in items.chain(entries).chain(moved) {
                if let Some(Kept { placed: Placed { place: Place::Leased(run), .. }, .. }) =
                    known.items.remove(&id)
                {
                    known.runs.remove(&run.id);
                }
            }
        });
    }

    /// Forgets everything: what was to be written may not have been.
    pub(crate) fn forget(&self) {
        self.with(|known| *known = Known::default());
    }

    fn with<T>(&self, work: impl FnOnce(&mut Known) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
