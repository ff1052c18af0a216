//! What can be asked of the store, and what it answers. A command is one whole decision; a batch of commands is
//! one transaction.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use spalla_domain::approval::tally::Need;
use spalla_domain::approval::{self, Decision};
use spalla_domain::claim::{
    Assignment, ClaimRequest, Completion, Exchange, ExchangeReply, Heartbeat, LogBatch, RunError, Usage,
};
use spalla_domain::info_request::InfoField;
use spalla_domain::problem::Code;
use spalla_domain::project::{NewProject, ProjectPatch};
use spalla_domain::quota::Quota;
use spalla_domain::work_item::{NewWorkItem, Policy, SpecPatch, When};
use spalla_domain::{
    ApprovalId, DraftId, EntryId, Fence, InfoRequestId, ProjectId, RunId, ScheduleId, WorkItemId, WorkerId,
};
use spalla_domain::{requirements, schedule};

/// A wish to change something.
#[derive(Debug, Clone)]
pub enum Command {
    /// Makes a project.
    CreateProject(NewProject),
    /// Changes a project.
    UpdateProject {
        /// Which.
        id: ProjectId,
        /// What.
        patch: ProjectPatch,
    },
    /// Puts a project away; refused while runs of it are not over.
    ArchiveProject {
        /// Which.
        id: ProjectId,
    },
    /// Makes work items, all or none.
    CreateWorkItems {
        /// The items, in order; later ones may wait for earlier ones.
        items: Vec<PlannedItem>,
        /// Puts them into the queue as well.
        enqueue: bool,
    },
    /// Changes a work item, its recipe or its policy.
    UpdateWorkItem {
        /// Which.
        id: WorkItemId,
        /// What.
        patch: Box<SpecPatch>,
        /// Members of the policy that change.
        policy: Policy,
    },
    /// Puts a work item away; refused while a run of it is not over.
    ArchiveWorkItem {
        /// Which.
        id: WorkItemId,
    },
    /// Asks for an approval, which holds the item until a person says yes.
    RequestApproval {
        /// What is held.
        work_item_id: WorkItemId,
        /// What is to be approved.
        kind: approval::Kind,
        /// Who has to say yes.
        need: Need,
    },
    /// A person says yes or no.
    DecideApproval {
        /// To what.
        id: ApprovalId,
        /// Yes or no.
        decision: Decision,
        /// Who.
        by: Option<String>,
        /// The roles they have.
        roles: Vec<String>,
        /// Why.
        note: Option<String>,
    },
    /// Puts a work item into the queue, or joins its entry there.
    Enqueue {
        /// Which.
        work_item_id: WorkItemId,
        /// What it waits for in addition.
        depends_on: Option<WorkItemId>,
        /// Instead of the item's own.
        priority: Option<u8>,
        /// Not before this many milliseconds from now.
        delay_ms: i64,
    },
    /// Puts several work items into the queue, all or none.
    EnqueueAll {
        /// Which, and how.
        wishes: Vec<EnqueueWish>,
    },
    /// Brings a work item back into the queue, whatever became of it.
    Requeue {
        /// Which.
        target: Requeued,
        /// Instead of the item's own.
        priority: Option<u8>,
        /// When.
        delay: Delay,
    },
    /// Gives a work item a run at once, if nothing holds it.
    Start {
        /// Which.
        work_item_id: WorkItemId,
    },
    /// Gives every eligible item a run, up to `max`.
    Tick {
        /// How many at most.
        max: u32,
        /// Only items that nobody of ours carries out.
        external_only: bool,
    },
    /// Completes, extends and claims in one transaction.
    Exchange(Exchange),
    /// Claims runs.
    Claim(ClaimRequest),
    /// Claims one run.
    ClaimRun {
        /// Which.
        run_id: RunId,
        /// For whom.
        worker: WorkerId,
        /// How long the lease lasts, in milliseconds.
        ttl_ms: i64,
    },
    /// Extends one lease.
    Heartbeat {
        /// Which.
        heartbeat: Heartbeat,
        /// Whose.
        worker: WorkerId,
        /// How long it lasts from now, in milliseconds.
        ttl_ms: i64,
    },
    /// Ends one run.
    Complete(RunEnd),
    /// Gives a run back unfinished.
    HandBack(Heartbeat),
    /// Stops a run and its item.
    CancelRun {
        /// Which.
        run_id: RunId,
    },
    /// Lets a run stand still.
    PauseRun {
        /// Which.
        run_id: RunId,
    },
    /// Lets a run go on.
    ResumeRun {
        /// Which.
        run_id: RunId,
    },
    /// A run asks a person for values.
    AskInfo {
        /// Which run.
        run_id: RunId,
        /// The token of its lease.
        fencing_token: Fence,
        /// Why.
        reason: String,
        /// For what.
        fields: Vec<InfoField>,
    },
    /// A person gives the values, which were checked and encrypted before they came here.
    AnswerInfo {
        /// To what.
        id: InfoRequestId,
        /// The values.
        sealed: String,
        /// Who.
        by: Option<String>,
    },
    /// Gives a project a new version of its vision.
    SetVision {
        /// Whose.
        project_id: ProjectId,
        /// What it says.
        text: String,
    },
    /// Derives a draft of requirements from the newest vision.
    ProposeRequirements {
        /// Whose.
        project_id: ProjectId,
    },
    /// Replaces the items of a draft.
    EditDraft {
        /// Which.
        id: DraftId,
        /// By what.
        items: Vec<requirements::Item>,
    },
    /// A person says yes or no to a draft.
    DecideDraft {
        /// Which.
        id: DraftId,
        /// Whether it is approved.
        approved: bool,
        /// Makes the work items of it at once.
        create_work_items: bool,
    },
    /// Sets the caps of a project.
    SetQuota {
        /// Whose.
        project_id: ProjectId,
        /// The caps.
        quota: Quota,
    },
    /// Makes a schedule.
    CreateSchedule(schedule::Spec),
    /// Changes a schedule.
    UpdateSchedule {
        /// Which.
        id: ScheduleId,
        /// How it is from now on.
        spec: schedule::Spec,
    },
    /// Removes a schedule.
    RemoveSchedule {
        /// Which.
        id: ScheduleId,
    },
    /// Keeps log lines.
    AppendLogs(LogBatch),
    /// Moves what is due, and frees what vanished holders held.
    KeepTime {
        /// How many rows of each kind at most.
        max: u32,
    },
    /// Ends at once all leases of a worker that is known to be gone.
    ForgetWorker {
        /// Which.
        worker: WorkerId,
    },
}

/// A new work item, with what it waits for among the items made beside it.
#[derive(Debug, Clone)]
pub struct PlannedItem {
    /// The item.
    pub item: NewWorkItem,
    /// Earlier items of the same command, by their place in it.
    pub after: Vec<(usize, When)>,
}

impl From<NewWorkItem> for PlannedItem {
    fn from(item: NewWorkItem) -> Self {
        Self { item, after: vec![] }
    }
}

/// A wish to put a work item into the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EnqueueWish {
    /// Which.
    pub work_item_id: WorkItemId,
    /// What it waits for in addition.
    pub depends_on: Option<WorkItemId>,
    /// Instead of the item's own.
    pub priority: Option<u8>,
    /// Not before this many milliseconds from now.
    pub delay_ms: i64,
}

/// What is requeued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requeued {
    /// A work item.
    WorkItem(WorkItemId),
    /// The work item of a run.
    Run(RunId),
}

/// When a requeued item may start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delay {
    /// After this many milliseconds.
    Ms(i64),
    /// After the delay that the retry policy would give.
    Backoff,
}

/// The end of a run, said by its worker or by a person.
#[derive(Debug, Clone)]
pub struct RunEnd {
    /// The run.
    pub run_id: RunId,
    /// The token of the lease; none is a person.
    pub fencing_token: Option<Fence>,
    /// Whether what was asked was done.
    pub success: bool,
    /// The exit status of the step that decided.
    pub exit_code: Option<i32>,
    /// What the run produced, any JSON.
    pub result: Option<Box<RawValue>>,
    /// What the run used.
    pub usage: Option<Usage>,
    /// Why it failed.
    pub error: Option<RunError>,
}

impl From<Completion> for RunEnd {
    fn from(c: Completion) -> Self {
        Self {
            run_id: c.run_id,
            fencing_token: Some(c.fencing_token),
            success: c.success,
            exit_code: c.exit_code,
            result: c.result,
            usage: c.usage,
            error: c.error,
        }
    }
}

/// What a command did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Reply {
    /// It is done, and there is nothing more to say.
    Done,
    /// The project made or changed.
    Project(ProjectId),
    /// The work items made or changed.
    WorkItems(Vec<WorkItemId>),
    /// The approval asked for or decided.
    Approval(ApprovalId),
    /// The queue entry.
    Entry {
        /// Its id.
        id: EntryId,
        /// What waits.
        work_item_id: WorkItemId,
    },
    /// The queue entries, in the order of the wishes.
    Entries(Vec<EntryId>),
    /// The run made, completed, cancelled, paused or given back.
    Run(RunId),
    /// The newest version of the vision.
    Vision {
        /// Which, from 1.
        version: u32,
    },
    /// The draft made, changed or decided.
    Draft {
        /// Which.
        id: DraftId,
        /// The work items that were made of it.
        work_items: Vec<WorkItemId>,
    },
    /// The schedule made, changed or removed.
    Schedule(ScheduleId),
    /// The info request made or answered.
    InfoRequest(InfoRequestId),
    /// What a tick did.
    Ticked {
        /// The new runs.
        started: Vec<Started>,
        /// What could not start, and why.
        blocked: Vec<Held>,
    },
    /// What an exchange did.
    Exchanged(Box<ExchangeReply>),
    /// The runs claimed.
    Claimed(Vec<Assignment>),
    /// What the worker is to do.
    Heartbeat {
        /// End the run: it was cancelled.
        cancel: bool,
        /// Hold the run.
        pause: bool,
    },
    /// The lines kept.
    Logged {
        /// The number of the next line.
        next_seq: i64,
    },
    /// How many rows the clock moved; equal to the limit means there may be more.
    Moved(u32),
}

/// A run made by a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// The run.
    pub run_id: RunId,
    /// What it is to do.
    pub work_item_id: WorkItemId,
}

/// A queue entry that can't start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// What waits.
    pub work_item_id: WorkItemId,
    /// Why.
    pub reason: Code,
}

/// A command with the key that makes it safe to send twice.
#[derive(Debug, Clone)]
pub struct Request {
    /// The command.
    pub command: Command,
    /// The client's key, where it sent one.
    pub idempotency: Option<IdempotencyKey>,
}

impl From<Command> for Request {
    fn from(command: Command) -> Self {
        Self { command, idempotency: None }
    }
}

/// What a client sends so that repeating a request does nothing twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The key as sent.
    pub key: String,
    /// A digest of method, path, query and body: the same key with another request is refused.
    pub fingerprint: [u8; 32],
}
