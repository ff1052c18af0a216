//! What was acknowledged to the soak, and so has to be found in the record at the end.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What a work item is made to do, and so how it may end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nature {
    /// It succeeds, at the first or a later attempt.
    Sound,
    /// It fails for good.
    Doomed,
    /// It is long enough to be cancelled in the middle.
    Slow,
    /// It waits for something that never comes.
    Barred,
}

/// An acknowledged work item.
#[derive(Debug, Clone)]
pub(crate) struct Promise {
    /// Its id.
    pub(crate) item: i64,
    /// Its title, which no other submission has.
    pub(crate) title: String,
    /// How it may end.
    pub(crate) nature: Nature,
    /// What it waits for.
    pub(crate) parents: Vec<i64>,
    /// Whether it leaves a line in the journal when it is carried out.
    pub(crate) leaves_line: bool,
}

/// Everything that was acknowledged.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// The work items.
    pub(crate) promises: Vec<Promise>,
    /// Items that may only start after a person's yes.
    pub(crate) approved: BTreeSet<i64>,
    /// Cancelled runs with their items.
    pub(crate) cancelled: Vec<(i64, i64)>,
    /// How often each item was requeued.
    pub(crate) requeued: BTreeMap<i64, usize>,
    /// Runs whose good end was confirmed, with the token under which it was reported.
    pub(crate) completed: Vec<(i64, i64)>,
    /// Log lines that were confirmed, by run.
    pub(crate) lines: Vec<(i64, String)>,
    /// Writes under an old token that were accepted, in words.
    pub(crate) stale_accepted: Vec<String>,
    /// How many were refused.
    pub(crate) stale_refused: usize,
    /// Runs to which somebody tried to write under an old token, with the text that must not be there.
    pub(crate) stale_tried: Vec<(i64, String)>,
    /// Whatever else went wrong on the way.
    pub(crate) faults: Vec<String>,
}

/// A work item in the record.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    /// Its title.
    pub(crate) title: String,
    /// Where it stands.
    pub(crate) status: String,
}

/// A run in the record.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    /// Its item.
    pub(crate) item: i64,
    /// How it ended.
    pub(crate) status: String,
}

/// An event in the record.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    /// Its number.
    pub(crate) id: i64,
    /// What happened.
    pub(crate) kind: String,
    /// To which item.
    pub(crate) item: Option<i64>,
    /// To which run.
    pub(crate) run: Option<i64>,
    /// The particulars.
    pub(crate) payload: Value,
}

/// Everything that the servers say in the end.
#[derive(Debug, Default)]
pub(crate) struct Record {
    /// The work items by id.
    pub(crate) items: BTreeMap<i64, Item>,
    /// The runs by id.
    pub(crate) runs: BTreeMap<i64, Run>,
    /// The events in order.
    pub(crate) events: Vec<Event>,
    /// The logs of some runs.
    pub(crate) logs: BTreeMap<i64, String>,
    /// How many lines each item left in the journal.
    pub(crate) executions: BTreeMap<i64, usize>,
}
