//! What can be asked of the store, and what it answers. A command is one whole decision; a batch of commands is
//! one transaction.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use spalla_domain::access::token::NewToken;
use spalla_domain::access::{Conditions, Projects, Target};
use spalla_domain::agent_state::Seen;
use spalla_domain::alias::NewAlias;
use spalla_domain::approval::tally::Need;
use spalla_domain::approval::{self, Decision};
use spalla_domain::artifact::ArtifactPath;
use spalla_domain::audit;
use spalla_domain::claim::{
    Assignment, ClaimRequest, Completion, Exchange, ExchangeReply, Heartbeat, LogBatch, RunError, Usage,
};
use spalla_domain::found_command::{self, FoundCommand};
use spalla_domain::info_request::InfoField;
use spalla_domain::message::{Address, NewMessage};
use spalla_domain::problem::Code;
use spalla_domain::project::{NewProject, ProjectPatch};
use spalla_domain::quota::Quota;
use spalla_domain::refused_host::RefusedHost;
use spalla_domain::registry_news::RegistryNews;
use spalla_domain::run_event::RunEvent;
use spalla_domain::sandbox::Attested;
use spalla_domain::session_event::{SessionChange, SessionNews};
use spalla_domain::webhook::{NewWebhook, Noted};
use spalla_domain::work_item::{NewWorkItem, Policy, SpecPatch, When};
use spalla_domain::{
    AliasId, ApprovalId, ArtifactId, DraftId, EntryId, EventSeq, Fence, InfoRequestId, MessageId, ProjectId,
    RunId, ScheduleId, TokenId, WebhookId, WorkItemId, WorkerId,
};
use spalla_domain::{requirements, schedule};
use std::sync::Arc;

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
        /// Who, where the run's agent asks by itself and not its worker.
        asked_by: Option<String>,
    },
    /// A run's worker tells what the command policy found in its steps.
    ReportCommands {
        /// The run, and the token of its lease.
        holder: Heartbeat,
        /// Who tells.
        worker: WorkerId,
        /// What was found.
        found: Vec<FoundCommand>,
    },
    /// A run's worker tells which hosts the run's proxy refused.
    ReportRefusedHosts {
        /// The run, and the token of its lease.
        holder: Heartbeat,
        /// The hosts.
        hosts: Vec<RefusedHost>,
    },
    /// A run's worker, or its agent, tells events.
    TellEvents {
        /// The run, and the token of its lease.
        holder: Heartbeat,
        /// The events.
        events: Vec<RunEvent>,
    },
    /// A server tells what it derived that the agents of a project do.
    NoteAgents {
        /// Whose.
        project_id: ProjectId,
        /// Up to which event that was seen.
        as_of: EventSeq,
        /// What was seen.
        seen: Vec<Seen>,
    },
    /// Whoever pursues a session tells what became of it.
    NoteSession {
        /// The project of its work items.
        project_id: ProjectId,
        /// What became of it.
        change: SessionChange,
        /// What is told of it.
        news: Box<SessionNews>,
    },
    /// Somebody sends a message.
    SendMessage {
        /// Who.
        sender: Sender,
        /// What they say, and to whom.
        message: Box<NewMessage>,
    },
    /// Whom a message is for has taken it.
    AcknowledgeMessage {
        /// Which.
        id: MessageId,
        /// The run whose agent takes it; none is whoever may for everybody.
        reader: Option<Heartbeat>,
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
    /// Keeps a secret under another key; what is in it stays.
    Reseal {
        /// Which.
        what: Sealed,
        /// What is kept now; where it is something else already, nothing changes.
        before: String,
        /// What is to be kept.
        sealed: String,
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
        /// What of it.
        patch: schedule::Patch,
    },
    /// Removes a schedule.
    RemoveSchedule {
        /// Which.
        id: ScheduleId,
    },
    /// Keeps log lines.
    AppendLogs(LogBatch),
    /// Begins to take in a file that is larger than a chunk.
    BeginUpload {
        /// Whose.
        run_id: RunId,
        /// The token of the lease; none is a person.
        fencing_token: Option<Fence>,
    },
    /// Keeps a part of a file that is on its way in.
    KeepChunk {
        /// Of which file.
        upload: ArtifactId,
        /// Which part, from 0.
        place: u32,
        /// What is in it.
        data: Vec<u8>,
    },
    /// Keeps a file, whose last part comes along.
    StoreArtifact(Box<NewArtifact>),
    /// Gives up a file that was on its way in.
    DropUpload {
        /// Which.
        id: ArtifactId,
    },
    /// Makes a token.
    CreateToken(Box<NewToken>),
    /// Makes a token worth nothing from now on.
    RevokeToken {
        /// Which.
        id: TokenId,
    },
    /// Makes an alias of an agent, or says what the one of its name is from now on.
    SetAlias(Box<NewAlias>),
    /// Removes an alias.
    RemoveAlias {
        /// Which.
        name: String,
    },
    /// A server tells what became of a publication of agents.
    TellRegistry(Box<RegistryNews>),
    /// Makes a webhook.
    CreateWebhook(Box<NewWebhook>),
    /// Removes a webhook.
    RemoveWebhook {
        /// Which.
        id: WebhookId,
    },
    /// Takes note of what came of sending to a webhook.
    NoteDelivery(Box<Noted>),
    /// Takes note that something came, which the request's key names, and changes nothing else: what comes again is told by the key.
    TakeOnce,
    /// Adds an entry to the audit, of a call that did not come as far as another command.
    Record(Box<audit::NewEntry>),
    /// Moves what is due, and frees what vanished holders held.
    KeepTime {
        /// How many rows of each kind at most.
        max: u32,
    },
    /// Ends at once the leases of a worker that is known to be gone.
    ForgetWorker {
        /// Which.
        worker: WorkerId,
        /// The runs whose leases stay: whoever comes after it carries them on.
        but: Vec<RunId>,
    },
}

/// Who sends a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sender {
    /// The agent of a run, under the token of its lease.
    Run(Heartbeat),
    /// Somebody in a project, under a name.
    Named {
        /// The project; that of the message that is answered where none is named.
        project_id: Option<ProjectId>,
        /// Under which name, and in which session.
        address: Address,
    },
}

/// What is kept encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sealed {
    /// The answer to an info request.
    Answer(InfoRequestId),
    /// What a webhook signs with.
    Webhook(WebhookId),
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

/// A file that a run left, or that a person keeps for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewArtifact {
    /// The run.
    pub run_id: RunId,
    /// The token of the lease; none is a person.
    pub fencing_token: Option<Fence>,
    /// Where it is kept; what was there before goes.
    pub path: ArtifactPath,
    /// What it is said to be.
    pub media_type: String,
    /// How large it is, all of it.
    pub bytes: u64,
    /// The SHA-256 of all of it, as hexadecimal digits.
    pub sha256: String,
    /// Under what its earlier parts are kept, and how many there are; none where it has one part.
    pub upload: Option<(ArtifactId, u32)>,
    /// The last part, which may be empty.
    pub last: Vec<u8>,
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
    /// Which walls stood around its commands.
    pub sandbox: Option<Box<Attested>>,
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
            sandbox: c.sandbox,
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
    /// Which approvals a run's commands wait for.
    CommandsFound(found_command::Answer),
    /// The events told of a run.
    EventsTold {
        /// How many were new, and are kept.
        kept: u32,
    },
    /// What agents do.
    AgentsNoted {
        /// Whether it was taken: it is not where something newer was known.
        is_taken: bool,
    },
    /// The message sent or acknowledged.
    Message(MessageId),
    /// The info request made or answered.
    InfoRequest(InfoRequestId),
    /// The token made or revoked.
    Token(TokenId),
    /// The webhook made, removed or noted.
    Webhook(WebhookId),
    /// The alias made, said otherwise or removed.
    Alias {
        /// Which.
        id: AliasId,
        /// Whether there was none of its name.
        is_new: bool,
    },
    /// The artifact kept, or under which its parts are kept from now on.
    Artifact(ArtifactId),
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

impl Reply {
    /// Tells whether it is that of a claim that brought nothing, and so changed nothing.
    pub fn brought_nothing(&self) -> bool {
        match self {
            Self::Claimed(runs) => runs.is_empty(),
            Self::Exchanged(exchanged) => **exchanged == ExchangeReply::default(),
            _ => false,
        }
    }
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
    /// Who is named for it in the audit, where somebody is.
    pub audit: Option<Box<audit::Call>>,
    /// Among what the things that it names have to be; none means that they may be anything.
    pub scope: Option<Arc<Scope>>,
}

/// Among what the things that a request names have to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// Of these projects.
    pub projects: Projects,
    /// Or else what one of these fits: single work items and runs.
    pub besides: Vec<Conditions>,
    /// This run alone.
    pub run_id: Option<RunId>,
    /// Held, or held last, by a worker whose id begins so.
    pub holder: Option<String>,
}

impl Scope {
    /// Tells whether something is among it by where it belongs.
    pub fn has(&self, target: &Target) -> bool {
        let is_within = target.project_id.is_some_and(|id| self.projects.has(id));
        is_within || self.besides.iter().any(|conditions| conditions.are_met(target))
    }

    /// Tells whether a worker is one of those that the scope is limited to.
    pub fn holds(&self, worker: Option<&WorkerId>) -> bool {
        let begins = |start: &str| worker.is_some_and(|worker| worker.as_str().starts_with(start));
        self.holder.as_deref().is_none_or(begins)
    }
}

impl From<Command> for Request {
    fn from(command: Command) -> Self {
        Self { command, idempotency: None, audit: None, scope: None }
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
