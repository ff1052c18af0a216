//! What can be read from the store: resources as clients see them, lists with their filters, and log lines.

use crate::document::Kind;
use serde_json::value::RawValue;
use spalla_domain::approval::Approval;
use spalla_domain::claim::{RunError, Usage};
use spalla_domain::lease::Lease;
use spalla_domain::log::Stream;
use spalla_domain::problem::Code;
use spalla_domain::queue::Place;
use spalla_domain::run;
use spalla_domain::work_item::{self, Dependency, Executor, WorkItem};
use spalla_domain::{EntryId, EventSeq, Fence, ProjectId, RunId, Timestamp, WorkItemId, WorkerId};

/// A page of a list, newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// How many at most.
    pub limit: u32,
    /// Only ids below this one.
    pub before: Option<i64>,
    /// How many to leave out.
    pub offset: u32,
}

/// A work item with its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkItemView {
    /// The item.
    pub item: WorkItem,
    /// Where it stands.
    pub status: work_item::Status,
    /// Why it does not start, where something holds it.
    pub reason: Option<Code>,
    /// What it waits for.
    pub depends_on: Vec<Dependency>,
}

/// Which work items a list shows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WorkItemFilter {
    /// Of this project.
    pub project_id: Option<ProjectId>,
    /// In this state.
    pub status: Option<work_item::Status>,
    /// With this label.
    pub label: Option<String>,
    /// With this text in title, description or prompt, in either case.
    pub q: Option<String>,
}

/// A run as clients see it, live or over.
#[derive(Debug, Clone)]
pub struct RunView {
    /// Its id.
    pub id: RunId,
    /// What it is to do.
    pub work_item_id: WorkItemId,
    /// Whose it is.
    pub project_id: ProjectId,
    /// Its state.
    pub status: run::Status,
    /// Its ordinal among the item's attempts.
    pub attempt: u32,
    /// How often it was taken over.
    pub takeovers: u32,
    /// Who holds it.
    pub lease: Option<Lease>,
    /// Who ended it.
    pub worker: Option<WorkerId>,
    /// The newest token; none while nobody has claimed it.
    pub fence: Option<Fence>,
    /// The agent, where the executor is one.
    pub agent: Option<String>,
    /// What carries it out.
    pub executor: Executor,
    /// The item's title.
    pub title: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was first claimed.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// The exit status of the step that decided.
    pub exit_code: Option<i32>,
    /// What it produced.
    pub result: Option<Box<RawValue>>,
    /// What it used.
    pub usage: Option<Usage>,
    /// Why it failed.
    pub error: Option<RunError>,
    /// Ties its traces together.
    pub trace_id: String,
}

/// Which runs a list shows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunFilter {
    /// Of this work item.
    pub work_item_id: Option<WorkItemId>,
    /// Of this project.
    pub project_id: Option<ProjectId>,
    /// In this state.
    pub status: Option<run::Status>,
    /// Of this agent.
    pub agent: Option<String>,
}

/// A queue entry as clients see it.
#[derive(Debug, Clone, PartialEq)]
pub struct EntryView {
    /// Its id.
    pub id: EntryId,
    /// What waits.
    pub work_item_id: WorkItemId,
    /// Whose it is.
    pub project_id: ProjectId,
    /// The item's title.
    pub title: String,
    /// 0 to 9.
    pub priority: u8,
    /// The ordering key; see `spalla_domain::queue::rank`.
    pub prio: i64,
    /// When it was enqueued.
    pub enqueued_at: Timestamp,
    /// Dependencies that are not met.
    pub unmet: u32,
    /// Approvals that hold it.
    pub approvals: u32,
    /// Not before this moment.
    pub due_at: Option<Timestamp>,
    /// Why it is not running; none means that it waits for a worker or a tick.
    pub reason: Option<Code>,
}

/// Which entries the queue shows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QueueFilter {
    /// Of this project.
    pub project_id: Option<ProjectId>,
    /// Held for this reason; an inner none means entries that nothing holds.
    pub reason: Option<Option<Code>>,
}

/// A line of a run's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRecord {
    /// Its number; the first line, which the store makes, is 0.
    pub seq: i64,
    /// When it was read.
    pub at: Timestamp,
    /// Where it came from.
    pub stream: Stream,
    /// The recipe step, from 1.
    pub step: Option<u32>,
    /// The text.
    pub text: String,
}

/// Which log lines are read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogFilter {
    /// From this number on.
    pub from_seq: i64,
    /// With this text, in either case.
    pub q: Option<String>,
    /// Of this stream.
    pub stream: Option<Stream>,
    /// Leaves out this many that match.
    pub offset: u64,
    /// How many at most; none means all.
    pub limit: Option<u64>,
}

impl LogFilter {
    /// Turns an offset into the number of a line, where every line counts: numbers have no gaps, so that nothing
    /// needs to be read to leave it out.
    #[must_use]
    pub(crate) fn sought(mut self) -> Self {
        if self.q.is_none() && self.stream.is_none() {
            self.from_seq = self.from_seq.max(0).saturating_add_unsigned(self.offset);
            self.offset = 0;
        }
        self
    }

    /// Returns the lines that the filter shows.
    pub(crate) fn apply(&self, lines: Vec<LogRecord>) -> Vec<LogRecord> {
        let q = self.q.as_ref().map(|q| q.to_lowercase());
        let fits = |line: &LogRecord| {
            line.seq >= self.from_seq
                && self.stream.is_none_or(|stream| line.stream == stream)
                && q.as_ref().is_none_or(|q| line.text.to_lowercase().contains(q))
        };
        let offset = usize::try_from(self.offset).unwrap_or(usize::MAX);
        let limit = self.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        lines.into_iter().filter(fits).skip(offset).take(limit).collect()
    }
}

/// Which events are read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EventFilter {
    /// Of this project.
    pub project_id: Option<ProjectId>,
    /// Of this run.
    pub run_id: Option<RunId>,
    /// After this number.
    pub after: Option<EventSeq>,
}

/// Which documents a list shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DocumentFilter {
    /// What they are.
    pub kind: Kind,
    /// What they belong to.
    pub owner: Option<i64>,
    /// In this state.
    pub status: Option<&'static str>,
}

/// How many there are of what, for metrics and health.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Depths {
    /// Entries that nothing holds.
    pub ready: u64,
    /// Entries that wait for their time.
    pub delayed: u64,
    /// Entries that wait for a dependency or an approval.
    pub blocked: u64,
    /// Runs that nobody holds.
    pub pending: u64,
    /// Runs that somebody holds.
    pub running: u64,
}

/// An approval with what it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalView {
    /// The approval.
    pub approval: Approval,
    /// The title of what waits for it.
    pub title: String,
}

/// Returns why an item that stands somewhere does not start; none where nothing but a claimer is missing.
pub(crate) fn reason_of(place: &Place) -> Option<Code> {
    match place {
        Place::Blocked(holds) => holds.reason(),
        Place::Delayed { .. } => Some(Code::Delayed),
        Place::Open | Place::Ready | Place::Leased(_) | Place::Finished(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_among_all_lines_is_the_number_of_a_line() {
        let at = |from_seq, offset| LogFilter { from_seq, offset, ..LogFilter::default() };
        assert_eq!(at(0, 7).sought(), at(7, 0));
        assert_eq!(at(-3, 7).sought(), at(7, 0));
        assert_eq!(at(5, u64::MAX).sought(), at(i64::MAX, 0));
        let some = LogFilter { q: Some("x".into()), ..at(0, 7) };
        assert_eq!(some.clone().sought(), some);
        let some = LogFilter { stream: Some(Stream::Stderr), ..at(0, 7) };
        assert_eq!(some.clone().sought(), some);
    }
}
