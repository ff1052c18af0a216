//! What can be read from the store: resources as clients see them, lists with their filters, and log lines.

use crate::document::Kind;
use serde_json::value::RawValue;
use spalla_domain::access::Target;
use spalla_domain::approval::Approval;
use spalla_domain::audit;
use spalla_domain::claim::{Offer, RunError, Usage};
use spalla_domain::lease::Lease;
use spalla_domain::log::Stream;
use spalla_domain::problem::Code;
use spalla_domain::queue::Place;
use spalla_domain::resources::{Amounts, Pool};
use spalla_domain::run;
use spalla_domain::sandbox::Attested;
use spalla_domain::work_item::{self, Dependency, Executor, WorkItem};
use spalla_domain::{EntryId, EventSeq, Fence, ProjectId, QueueId, RunId, Timestamp, WorkItemId, WorkerId};
use std::collections::BTreeSet;

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
    /// Which walls stood around its commands.
    pub sandbox: Option<Box<Attested>>,
    /// Ties its traces together.
    pub trace_id: String,
}

impl RunView {
    /// Returns where it belongs. Who holds it is for somebody else to say.
    pub const fn target(&self) -> Target {
        let (project_id, work_item_id) = (Some(self.project_id), Some(self.work_item_id));
        Target { project_id, work_item_id, run_id: Some(self.id), is_held: false }
    }
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
    /// Who may claim it.
    pub queue: QueueId,
    /// The item's title.
    pub title: String,
    /// 0 to 9.
    pub priority: u8,
    /// What a person set.
    pub set_priority: u8,
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

/// A worker that was heard of lately.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerView {
    /// Who.
    pub name: WorkerId,
    /// When it was last heard of, within some twenty seconds.
    pub heard_at: Timestamp,
    /// What it can do.
    pub offer: Offer,
    /// How many runs it holds.
    pub leases: u32,
    /// What they need of what it has.
    pub reserved: Amounts,
}

/// An agent that was given something to do, and what it works at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentView {
    /// In which project.
    pub project_id: ProjectId,
    /// Which.
    pub agent: String,
    /// Its runs that somebody holds, the oldest first.
    pub held: Vec<(WorkItemId, RunId)>,
    /// How the newest of its runs ended that did.
    pub last_ended: Option<run::Status>,
}

/// What came of a run, without what it produced.
#[derive(Debug, Clone, PartialEq)]
pub struct RunOutcome {
    /// Its state.
    pub status: run::Status,
    /// When it was first claimed.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// What it used.
    pub usage: Option<Usage>,
}

/// A configured pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolView {
    /// Whose: an agent, or `*` for all others.
    pub name: String,
    /// What it has, and what is reserved.
    pub pool: Pool,
}

/// What there is for runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Supply {
    /// The workers, by name.
    pub workers: Vec<WorkerView>,
    /// The configured pools.
    pub pools: Vec<PoolView>,
    /// The queues whose runs don't find what they need for now.
    pub short: BTreeSet<QueueId>,
    /// The queues of which no further run may start, because as many are going on as are allowed at once.
    pub crowded: BTreeSet<QueueId>,
}

/// Which entries of the audit a list shows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditFilter {
    /// Of this caller.
    pub principal: Option<String>,
    /// For this.
    pub operation: Option<String>,
    /// About this resource, or one beneath it.
    pub resource: Option<String>,
    /// With this end.
    pub outcome: Option<audit::Outcome>,
}

impl AuditFilter {
    /// Returns the paths between which all that is beneath the resource lies: `0` comes right after a slash.
    pub(crate) fn beneath(&self) -> Option<(String, String)> {
        let resource = self.resource.as_deref()?.trim_end_matches('/');
        Some((format!("{resource}/"), format!("{resource}0")))
    }

    /// Tells whether a resource is the one that is asked for, or is beneath it.
    fn is_about(&self, resource: &str) -> bool {
        let asked = self.resource.as_ref().map(|asked| asked.trim_end_matches('/'));
        let beneath = |asked: &str| resource.strip_prefix(asked).is_some_and(|rest| rest.starts_with('/'));
        asked.is_none_or(|asked| resource == asked || beneath(asked))
    }

    /// Tells whether the list shows an entry.
    pub(crate) fn shows(&self, entry: &audit::Entry) -> bool {
        let call = &entry.call;
        self.principal.as_ref().is_none_or(|principal| call.principal == *principal)
            && self.operation.as_ref().is_none_or(|operation| call.operation == *operation)
            && self.outcome.is_none_or(|outcome| entry.outcome == outcome)
            && self.is_about(&call.resource)
    }
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
