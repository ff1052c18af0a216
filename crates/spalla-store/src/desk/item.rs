//! A work item on the desk: how it is now and how it was, and what of it has to be written.

use crate::tx::{Changes, Head, Line, PlaceRow, Placed};
use spalla_domain::queue::{Entry, Place, Standing};
use spalla_domain::run::LiveRun;
use spalla_domain::{Fence, QueueId, Timestamp};

/// A work item on the desk.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    /// All but its texts.
    pub(crate) head: Head,
    /// What it carries.
    pub(crate) standing: Standing,
    /// Where it stands.
    pub(crate) place: Place,
    saved: Saved,
}

/// How an item was when it was loaded or last written.
#[derive(Debug, Clone)]
struct Saved {
    queue: QueueId,
    priority: u8,
    standing: Standing,
    place: Place,
    entry: Option<Entry>,
    line: Option<Line>,
}

impl Item {
    pub(super) fn loaded(head: Head, standing: Standing, place: Place) -> Self {
        let (queue, line) = (head.queue, head.line);
        let entry = head.entry.clone();
        let saved = Saved { queue, priority: priority(&head), standing, place: place.clone(), entry, line };
        Self { head, standing, place, saved }
    }

    /// Returns the item's run that is not over.
    pub(crate) fn live_run(&self) -> Option<&LiveRun> {
        match &self.place {
            Place::Leased(run) => Some(run),
            _ => None,
        }
    }

    /// Returns the item as it would be loaded, once it is written.
    pub(super) fn written(&self) -> (Head, Placed) {
        let Saved { standing, place, entry, line, .. } = &self.saved;
        let head = Head { entry: entry.clone(), line: *line, ..self.head.clone() };
        (head, Placed { id: self.head.id, standing: *standing, place: place.clone() })
    }

    fn row(&self) -> Option<PlaceRow> {
        row(&self.head, self.head.queue, priority(&self.head), self.standing, self.place.clone())
    }

    fn saved_row(&self, place: Place) -> Option<PlaceRow> {
        let Saved { queue, priority, standing, .. } = &self.saved;
        row(&self.head, *queue, *priority, *standing, place)
    }
}

fn row(head: &Head, queue: QueueId, priority: u8, standing: Standing, place: Place) -> Option<PlaceRow> {
    let project_id = head.project_id;
    (place != Place::Open).then(|| {
        let placed = Placed { id: head.id, standing, place };
        PlaceRow { project_id, queue, priority, placed }
    })
}

/// The priority that an item waits with.
fn priority(head: &Head) -> u8 {
    head.entry.as_ref().map_or(head.priority, |entry| entry.priority)
}

/// What an item carries that was never enqueued.
pub(crate) const FRESH: Standing = Standing { prio: 0, fence: Fence::NONE, attempt: 0, failures: 0 };

/// Returns the moment at which the clock moves an item on.
pub(super) fn waits_until(place: &Place) -> Option<Timestamp> {
    match place {
        Place::Delayed { due_at } => Some(*due_at),
        Place::Leased(run) => run.lease.as_ref().map(|lease| lease.until),
        Place::Open | Place::Blocked(_) | Place::Ready | Place::Finished(_) => None,
    }
}

/// Adds to the changes what differs from how the item was, and takes the present as how it was. Where the item itself is
/// rewritten or its entry changed, a run that goes on is written as well: whoever remembers its item finds out by that.
pub(super) fn compare(item: &mut Item, is_rewritten: bool, changes: &mut Changes) {
    let is_told = (compare_entry(item, changes) || is_rewritten) && matches!(item.place, Place::Leased(_));
    let Saved { queue, priority: saved, standing, place, .. } = &item.saved;
    let is_in_line = *queue == item.head.queue && *saved == priority(&item.head);
    if is_in_line && *standing == item.standing && *place == item.place && !is_told {
        return;
    }
    let before = std::mem::replace(&mut item.saved.place, item.place.clone());
    match (item.saved_row(before), item.row()) {
        // Nowhere is no row, whatever else an open item carries.
        (None, None) => {}
        (Some(before), Some(after)) if stays(&before, &after) => changes.moved_within.push((before, after)),
        (before, after) => {
            changes.left.extend(before);
            changes.entered.extend(after);
        }
    }
    item.saved.queue = item.head.queue;
    item.saved.priority = priority(&item.head);
    item.saved.standing = item.standing;
}

/// An entry is written anew where it changed, or is to be found elsewhere in line. Tells whether it is.
fn compare_entry(item: &mut Item, changes: &mut Changes) -> bool {
    let line = Line { queue: item.head.queue, prio: item.standing.prio };
    let is_elsewhere = item.place == Place::Ready && item.saved.line != Some(line);
    match (&item.saved.entry, &item.head.entry) {
        (None, Some(entry)) => changes.entries_made.push((line, entry.clone())),
        (Some(old), Some(new)) if old != new || is_elsewhere => {
            changes.entries_changed.push((line, new.clone()))
        }
        _ => return false,
    }
    item.saved.entry = item.head.entry.clone();
    item.saved.line = Some(line);
    true
}

/// Tells whether a row can be changed where it is: in a table whose key stays the same.
fn stays(before: &PlaceRow, after: &PlaceRow) -> bool {
    match (&before.placed.place, &after.placed.place) {
        (Place::Blocked(_), Place::Blocked(_)) | (Place::Finished(_), Place::Finished(_)) => true,
        (Place::Leased(before), Place::Leased(after)) => before.id == after.id,
        _ => false,
    }
}
