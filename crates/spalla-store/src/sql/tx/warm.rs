//! Rows that the next transactions are sure to ask for: items with a run that is not over, as the last transaction left
//! them. Only where this process alone writes: a commit of any other connection makes all of it forgotten.

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
    items: HashMap<WorkItemId, (Head, Placed)>,
    runs: HashMap<RunId, WorkItemId>,
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
            let item = |run| known.items.get(known.runs.get(run)?).cloned();
            runs.iter().map(item).collect()
        })
    }

    /// Keeps an item whose run goes on, as it is written.
    pub(super) fn keep(&self, head: Head, placed: Placed) {
        let Place::Leased(run) = &placed.place else { return };
        let run = run.id;
        self.with(|known| {
            if known.items.len() >= ITEMS_MAX {
                known.items.clear();
                known.runs.clear();
            }
            known.runs.insert(run, head.id);
            known.items.insert(head.id, (head, placed));
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
                if let Some((_, Placed { place: Place::Leased(run), .. })) = known.items.remove(&id) {
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
