//! The narrow waist of the store: what an operation may load, pick and write inside one transaction. Implemented
//! for memory and, over either SQL driver, for SQLite and Postgres. It moves rows and decides nothing.
//!
//! Every load locks what it returns where the store has other writers. Every write of a row that moved meanwhile
//! fails with [`StoreError::Conflict`]: the batch is rolled back and tried again.

use crate::document::{Document, Kind};
use crate::error::StoreError;
use serde_json::value::RawValue;
use spalla_domain::approval::Approval;
use spalla_domain::artifact::{Artifact, ArtifactPath, Totals};
use spalla_domain::audit;
use spalla_domain::claim::{Offer, RunError, Usage};
use spalla_domain::event::{Event, NewEvent};
use spalla_domain::limits::Limits;
use spalla_domain::project::Project;
use spalla_domain::queue::{Entry, Place, Standing};
use spalla_domain::quota::{Usage as DayUsage, Used, UtcDay};
use spalla_domain::resources::Amounts;
use spalla_domain::run::Outcome;
use spalla_domain::sandbox::Attested;
use spalla_domain::work_item::{Executor, Policy, When, WorkItem};
use spalla_domain::{
    ApprovalId, ArtifactId, Fence, ProjectId, QueueId, RunId, Timestamp, WorkItemId, WorkerId,
};
use std::collections::BTreeSet;

/// The result of everything that touches a store.
pub type Result<T> = std::result::Result<T, StoreError>;

/// What of a work item the rules need: all but its texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    /// Its id.
    pub id: WorkItemId,
    /// Whose it is.
    pub project_id: ProjectId,
    /// Who may claim it.
    pub queue: QueueId,
    /// 0 to 9.
    pub priority: u8,
    /// Whether its final failure stops what waits for it to be done.
    pub critical: bool,
    /// Whether it is on the critical path of what it was made with.
    pub on_critical_path: bool,
    /// How long a run may take, in milliseconds.
    pub timeout_ms: Option<i64>,
    /// What it says differently from the server's settings.
    pub policy: Policy,
    /// When it was archived.
    pub archived_at: Option<Timestamp>,
    /// Its queue entry, once it was enqueued.
    pub entry: Option<Entry>,
    /// Where it last stood in line, as far as it is known.
    pub line: Option<Line>,
}

/// A place in line: with the item's id the key of `ready`. It is kept with the entry, so that an item is found there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Line {
    /// Who may claim it.
    pub queue: QueueId,
    /// The ordering key.
    pub prio: i64,
}

/// Where a work item stands, and what it carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Placed {
    /// The item.
    pub id: WorkItemId,
    /// What it carries.
    pub standing: Standing,
    /// Where it stands; never `Open`, which is the absence of a place.
    pub place: Place,
}

/// What a claimer is told of an item beyond its head.
#[derive(Debug, Clone)]
pub(crate) struct Body {
    /// The item, texts included.
    pub item: WorkItem,
    /// The project's repository.
    pub repository: Option<String>,
    /// The project's limits of what commands use.
    pub project_limits: Option<Limits>,
}

/// A dependency edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EdgeRow {
    /// What is waited for.
    pub parent: WorkItemId,
    /// What waits.
    pub child: WorkItemId,
    /// Which end of the parent.
    pub when: When,
}

/// A run that is over.
#[derive(Debug, Clone)]
pub(crate) struct EndedRun {
    /// Its id.
    pub id: RunId,
    /// What it was to do.
    pub work_item_id: WorkItemId,
    /// Whose it was.
    pub project_id: ProjectId,
    /// Its ordinal among the item's attempts.
    pub attempt: u32,
    /// How often it was taken over.
    pub takeovers: u32,
    /// The newest token at its end.
    pub fence: Fence,
    /// The token under which it was ended; none when a person or the clock ended it.
    pub ended_under: Option<Fence>,
    /// Who held it last.
    pub worker: Option<WorkerId>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was first claimed.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Timestamp,
    /// How it ended.
    pub outcome: Outcome,
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
}

/// What claimers choose by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct QueueKey {
    /// The project.
    pub project_id: ProjectId,
    /// The executor.
    pub executor: Executor,
    /// The labels, sorted.
    pub labels: Vec<String>,
    /// The agent.
    pub agent: Option<String>,
    /// What a run needs.
    pub resources: Option<Amounts>,
}

/// A queue as it is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KnownQueue {
    /// Its id.
    pub id: QueueId,
    /// What claimers choose by.
    pub key: QueueKey,
    /// Whether its project has a quota.
    pub is_capped: bool,
    /// The key of the best item that is ready, where that was looked at and there is one.
    pub head: Option<i64>,
    /// Whether it has a run that nobody holds, where that was looked at.
    pub is_pending: bool,
}

/// The queues that claimers choose from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Queues {
    /// Those found; none of an archived project.
    pub found: Vec<KnownQueue>,
    /// Whether these are all. Where there are many, only those are found in which something waits for a claimer.
    pub is_whole: bool,
}

/// A worker that said something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HeardWorker {
    /// Who.
    pub name: WorkerId,
    /// When it was last heard of, give or take what lies between two notes.
    pub heard_at: Timestamp,
    /// What it can do; none where it did not say.
    pub offer: Option<Offer>,
}

/// How many runs of a queue a worker holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HeldRuns {
    /// The queue.
    pub queue: QueueId,
    /// Its project.
    pub project_id: ProjectId,
    /// Its agent.
    pub agent: Option<String>,
    /// What each of its runs needs.
    pub wish: Option<Amounts>,
    /// The worker; none where nobody holds them.
    pub worker: Option<WorkerId>,
    /// How many.
    pub runs: u32,
}

/// Consecutive log lines of a run, compressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogChunk {
    /// The run.
    pub run_id: RunId,
    /// The number of the first line.
    pub first_seq: i64,
    /// How many lines.
    pub lines: u32,
    /// The lines; see `log_chunk`.
    pub data: Vec<u8>,
}

/// A part of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ArtifactChunk {
    /// Of which file.
    pub artifact_id: ArtifactId,
    /// Which part, from 0.
    pub place: u32,
    /// What is in it.
    pub data: Vec<u8>,
}

/// The kept answer to a request that bore an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeptReply {
    /// The client's key.
    pub key: String,
    /// A digest of the request.
    pub fingerprint: [u8; 32],
    /// The reply as JSON.
    pub reply: String,
    /// When it was given.
    pub at: Timestamp,
}

/// The sequences that ids come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sequence {
    /// Of projects.
    Project,
    /// Of work items.
    WorkItem,
    /// Of queue entries.
    Entry,
    /// Of runs.
    Run,
    /// Of approvals.
    Approval,
    /// Of queues.
    Queue,
    /// Of visions.
    Vision,
    /// Of drafts of requirements.
    Draft,
    /// Of schedules.
    Schedule,
    /// Of info requests.
    InfoRequest,
    /// Of artifacts.
    Artifact,
    /// Of tokens.
    Token,
    /// Of webhooks.
    Webhook,
    /// Of messages.
    Message,
    /// Of aliases.
    Alias,
}

/// What may be claimed, and what decides between it and others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// The queue that it waits in.
    pub queue: QueueId,
    /// 0 to 9.
    pub priority: u8,
    /// Where it stands.
    pub placed: Placed,
}

/// A place that is left or entered, with the queue that `ready` and `leased` are ordered in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PlaceRow {
    /// Whose it is.
    pub project_id: ProjectId,
    /// Who may claim it.
    pub queue: QueueId,
    /// 0 to 9; what its entry says.
    pub priority: u8,
    /// The row.
    pub placed: Placed,
}

/// Everything that a batch writes, as sets.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// Projects that are new.
    pub projects_made: Vec<Project>,
    /// Projects that changed.
    pub projects_changed: Vec<Project>,
    /// Queues that are new.
    pub queues_made: Vec<(QueueId, QueueKey)>,
    /// Work items that are new, each with its queue.
    pub items_made: Vec<(QueueId, WorkItem)>,
    /// Work items that changed, each with its queue.
    pub items_changed: Vec<(QueueId, WorkItem)>,
    /// Entries that are new.
    pub entries_made: Vec<(Line, Entry)>,
    /// Entries that changed, or stand elsewhere in line.
    pub entries_changed: Vec<(Line, Entry)>,
    /// Rows that leave their place, as they were loaded.
    pub left: Vec<PlaceRow>,
    /// Rows that enter a place.
    pub entered: Vec<PlaceRow>,
    /// Rows that stay in their place and change there: before and after.
    pub moved_within: Vec<(PlaceRow, PlaceRow)>,
    /// Runs that ended.
    pub runs_ended: Vec<EndedRun>,
    /// Edges that are new.
    pub edges_made: Vec<EdgeRow>,
    /// Approvals that are new.
    pub approvals_made: Vec<Approval>,
    /// Approvals that were decided.
    pub approvals_decided: Vec<Approval>,
    /// Log chunks that are new.
    pub log_chunks: Vec<LogChunk>,
    /// Artifacts at paths where there was none.
    pub artifacts_made: Vec<Artifact>,
    /// Artifacts that take the place of another one, whose id comes first.
    pub artifacts_replaced: Vec<(ArtifactId, Artifact)>,
    /// Parts of files that are new.
    pub artifact_chunks: Vec<ArtifactChunk>,
    /// Files whose parts go.
    pub artifact_chunks_gone: Vec<ArtifactId>,
    /// What projects used, by day; added to what they used before.
    pub used: Vec<(ProjectId, UtcDay, Used)>,
    /// Documents that are new or changed.
    pub documents: Vec<Document>,
    /// Documents that go.
    pub documents_gone: Vec<(Kind, i64)>,
    /// Workers that said something.
    pub workers_heard: Vec<HeardWorker>,
    /// Entries of the audit, which follow on each other and on what is there.
    pub audited: Vec<audit::Entry>,
    /// Replies to keep.
    pub replies: Vec<KeptReply>,
    /// Facts, in order; numbers are given by the store.
    pub events: Vec<NewEvent>,
}

impl Changes {
    /// Tells whether there is nothing to write.
    pub(crate) fn is_empty(&self) -> bool {
        let Self {
            projects_made,
            projects_changed,
            queues_made,
            items_made,
            items_changed,
            entries_made,
            entries_changed,
            left,
            entered,
            moved_within,
            runs_ended,
            edges_made,
            approvals_made,
            approvals_decided,
            log_chunks,
            artifacts_made,
            artifacts_replaced,
            artifact_chunks,
            artifact_chunks_gone,
            used,
            documents,
            documents_gone,
            audited,
            workers_heard,
            replies,
            events,
        } = self;
        projects_made.is_empty()
            && projects_changed.is_empty()
            && queues_made.is_empty()
            && items_made.is_empty()
            && items_changed.is_empty()
            && entries_made.is_empty()
            && entries_changed.is_empty()
            && left.is_empty()
            && entered.is_empty()
            && moved_within.is_empty()
            && runs_ended.is_empty()
            && edges_made.is_empty()
            && approvals_made.is_empty()
            && approvals_decided.is_empty()
            && log_chunks.is_empty()
            && artifacts_made.is_empty()
            && artifacts_replaced.is_empty()
            && artifact_chunks.is_empty()
            && artifact_chunks_gone.is_empty()
            && used.is_empty()
            && documents.is_empty()
            && documents_gone.is_empty()
            && workers_heard.is_empty()
            && audited.is_empty()
            && replies.is_empty()
            && events.is_empty()
    }
}

/// What a batch is sure to ask for. Ids ascend, without repetitions.
#[derive(Debug, Default)]
pub(crate) struct Foreseen {
    /// Runs, with the heads of their items and the edges below those.
    pub runs: Vec<RunId>,
    /// Runs, of these, that end.
    pub ended: Vec<RunId>,
    /// Runs whose log goes on.
    pub logged: Vec<RunId>,
    /// Work items, with their places.
    pub items: Vec<WorkItemId>,
    /// Work items, of these, that are put into the queue: what they wait for and their approvals.
    pub enqueued: Vec<WorkItemId>,
    /// Projects.
    pub projects: Vec<ProjectId>,
    /// The queues, with what waits in them.
    pub queues: bool,
    /// The queues that new items belong to.
    pub places_items: bool,
    /// The first claim, by whom and of how many runs, where nothing but new items comes before it.
    pub claim: Option<(WorkerId, u32)>,
    /// How many ids of which sequence.
    pub ids: Vec<(Sequence, usize)>,
}

/// Consecutive ids of a sequence.
pub(crate) type Ids = std::ops::Range<i64>;

/// One transaction.
pub(crate) trait Tx: Send {
    /// Takes note of what will be asked for, so that all of it costs one round trip where round trips cost. Returns ids
    /// that are taken already; some are left over where requests are refused.
    fn foresee(&mut self, _foreseen: &Foreseen) -> impl Future<Output = Result<Vec<(Sequence, Ids)>>> + Send {
        std::future::ready(Ok(vec![]))
    }

    /// Takes back ids that nobody used, where they can be kept for the next transaction.
    fn give_back(&mut self, _sequence: Sequence, _ids: Ids) {}

    /// Tells whether items are handed on at all, so that nobody copies them in vain.
    fn hands_on(&self) -> bool {
        false
    }

    /// Hands an item on to the next transactions as this one leaves it, where they are sure to ask for it.
    fn hand_on(&mut self, _head: Head, _placed: Placed) {}

    /// Takes the next `count` ids of a sequence and returns the first.
    fn allocate(&mut self, sequence: Sequence, count: usize) -> impl Future<Output = Result<i64>> + Send;

    /// Loads projects.
    fn projects(&mut self, ids: &[ProjectId]) -> impl Future<Output = Result<Vec<Project>>> + Send;

    /// Tells whether runs of a project are not over.
    fn project_is_active(&mut self, id: ProjectId) -> impl Future<Output = Result<bool>> + Send;

    /// Loads heads without locking them: for items whose place is locked.
    fn heads(&mut self, ids: &[WorkItemId]) -> impl Future<Output = Result<Vec<Head>>> + Send;

    /// Loads and locks heads and places: items that a command is about, and both ends of edges. An item without a
    /// place is open.
    fn items(&mut self, ids: &[WorkItemId]) -> impl Future<Output = Result<(Vec<Head>, Vec<Placed>)>> + Send;

    /// Loads items with their texts.
    fn bodies(&mut self, ids: &[WorkItemId]) -> impl Future<Output = Result<Vec<Body>>> + Send;

    /// Loads and locks the places of the items whose live run is named.
    fn live_runs(&mut self, ids: &[RunId]) -> impl Future<Output = Result<Vec<Placed>>> + Send;

    /// Loads runs that are over.
    fn ended_runs(&mut self, ids: &[RunId]) -> impl Future<Output = Result<Vec<EndedRun>>> + Send;

    /// Loads and locks documents of a kind.
    fn documents(&mut self, kind: Kind, ids: &[i64]) -> impl Future<Output = Result<Vec<Document>>> + Send;

    /// Loads and locks the documents of a kind that belong to one owner, oldest first.
    fn documents_of(&mut self, kind: Kind, owner: i64) -> impl Future<Output = Result<Vec<Document>>> + Send;

    /// Counts the documents of a kind, and keeps others from counting them.
    fn document_count(&mut self, kind: Kind) -> impl Future<Output = Result<u64>> + Send;

    /// Loads and locks the artifact of a run at a path, and counts all that the run left.
    fn artifact_at(
        &mut self,
        run: RunId,
        path: &ArtifactPath,
    ) -> impl Future<Output = Result<(Option<Artifact>, Totals)>> + Send;

    /// Loads where the audit ends, and keeps others from adding to it.
    fn audit_head(&mut self) -> impl Future<Output = Result<audit::chain::Head>> + Send;

    /// Loads what a project used on a day.
    fn usage(&mut self, project_id: ProjectId, day: UtcDay) -> impl Future<Output = Result<DayUsage>> + Send;

    /// Counts the runs that are not over: of a project, of an agent, or of all.
    fn active_runs(
        &mut self,
        project_id: Option<ProjectId>,
        agent: Option<&str>,
    ) -> impl Future<Output = Result<u32>> + Send;

    /// Counts the runs that workers hold and that need something, by worker and queue.
    fn reserved(&mut self) -> impl Future<Output = Result<Vec<HeldRuns>>> + Send;

    /// Loads the workers that were heard of since a moment.
    fn workers(&mut self, since: Timestamp) -> impl Future<Output = Result<Vec<HeardWorker>>> + Send;

    /// Finds the best ready item of each of these queues that has one; locks nothing.
    fn first_ready(
        &mut self,
        queues: &[QueueId],
    ) -> impl Future<Output = Result<Vec<(QueueId, WorkItemId)>>> + Send;

    /// Picks and locks documents whose time has come.
    fn pick_due_documents(
        &mut self,
        now: Timestamp,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<Document>>> + Send;

    /// Loads the edges above items: what they wait for.
    fn edges_above(&mut self, children: &[WorkItemId]) -> impl Future<Output = Result<Vec<EdgeRow>>> + Send;

    /// Loads the edges below items: what waits for them.
    fn edges_below(&mut self, parents: &[WorkItemId]) -> impl Future<Output = Result<Vec<EdgeRow>>> + Send;

    /// Loads all edges above an item, to the roots, as (item, what it waits for); keeps others from adding edges.
    fn ancestry(
        &mut self,
        of: WorkItemId,
    ) -> impl Future<Output = Result<Vec<(WorkItemId, WorkItemId)>>> + Send;

    /// Loads approvals.
    fn approvals(&mut self, ids: &[ApprovalId]) -> impl Future<Output = Result<Vec<Approval>>> + Send;

    /// Loads all approvals of items.
    fn approvals_of(&mut self, items: &[WorkItemId]) -> impl Future<Output = Result<Vec<Approval>>> + Send;

    /// Loads, for each run with log lines, the number after its last one.
    fn log_ends(&mut self, runs: &[RunId]) -> impl Future<Output = Result<Vec<(RunId, i64)>>> + Send;

    /// Loads the queues that claimers choose from.
    fn queues(&mut self) -> impl Future<Output = Result<Queues>> + Send;

    /// Returns queues by their keys without asking the database, where all of them are remembered: without their caps, and
    /// without what waits in them.
    fn remembered_queues(&mut self, _keys: &BTreeSet<QueueKey>) -> Option<Vec<KnownQueue>> {
        None
    }

    /// Finds queues by their keys.
    fn find_queues(&mut self, keys: &[QueueKey]) -> impl Future<Output = Result<Vec<KnownQueue>>> + Send;

    /// Loads queues by their ids.
    fn load_queues(&mut self, ids: &[QueueId]) -> impl Future<Output = Result<Vec<KnownQueue>>> + Send;

    /// Loads kept replies, and holds back whoever else uses one of these keys.
    fn replies(&mut self, keys: &[String]) -> impl Future<Output = Result<Vec<KeptReply>>> + Send;

    /// Picks and locks up to `limit` ready items of each of these queues, the best, passing over what others hold.
    fn pick_ready(
        &mut self,
        queues: &[QueueId],
        limit: u32,
    ) -> impl Future<Output = Result<Vec<Candidate>>> + Send;

    /// Picks and locks up to `limit` items of each of these queues whose live run nobody holds and nothing forbids, the
    /// best. `then_ready` says that ready ones are picked next, from the same queues.
    fn pick_pending(
        &mut self,
        queues: &[QueueId],
        limit: u32,
        then_ready: bool,
    ) -> impl Future<Output = Result<Vec<Candidate>>> + Send;

    /// Takes note of what is looked at next.
    fn note_chosen(&mut self, _chosen: &[Placed]) {}

    /// Picks and locks delayed items that are due, earliest first.
    fn pick_due(&mut self, now: Timestamp, limit: u32) -> impl Future<Output = Result<Vec<Placed>>> + Send;

    /// Picks and locks items whose lease is over.
    fn pick_overdue(
        &mut self,
        now: Timestamp,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<Placed>>> + Send;

    /// Picks and locks all items that a worker holds.
    fn pick_held_by(&mut self, worker: &WorkerId) -> impl Future<Output = Result<Vec<Placed>>> + Send;

    /// Returns up to `limit` held-back entries, for a tick's answer; locks nothing.
    fn held_back(&mut self, limit: u32) -> impl Future<Output = Result<Vec<Placed>>> + Send;

    /// Returns the earliest moment at which a lease ends or a delayed item is due.
    fn next_moment(&mut self) -> impl Future<Output = Result<Option<Timestamp>>> + Send;

    /// Writes all changes and returns the events with their numbers.
    fn write(&mut self, changes: Changes) -> impl Future<Output = Result<Vec<Event>>> + Send;

    /// Writes all changes as the last act of the transaction, and everything that is not written yet. It may commit, where
    /// the caller allows it: nothing can be taken back after it.
    fn write_last(
        &mut self,
        changes: Changes,
        _may_commit: bool,
    ) -> impl Future<Output = Result<Vec<Event>>> + Send {
        self.write(changes)
    }
}
