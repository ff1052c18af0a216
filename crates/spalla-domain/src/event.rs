//! Events: facts about the past, one past-tense variant each, written in the transaction of the change.

use crate::artifact::ArtifactPath;
use crate::problem::Code;
use crate::retry::ErrorClass;
use crate::session_event::SessionNews;
use crate::work_item::{Dependency, Status, When};
use crate::{
    ApprovalId, ArtifactId, DraftId, EventSeq, Fence, InfoRequestId, MessageId, ProjectId, RunId, ScheduleId,
    Timestamp, WorkItemId, WorkerId,
};
use serde::{Deserialize, Serialize};

/// A fact, with what it is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Its number; a safe cursor.
    pub seq: EventSeq,
    /// When it happened.
    pub at: Timestamp,
    /// The project it belongs to; [`ProjectId::NONE`] where it concerns every one.
    pub project_id: ProjectId,
    /// The work item it is about.
    pub work_item_id: Option<WorkItemId>,
    /// The run it is about.
    pub run_id: Option<RunId>,
    /// What happened.
    pub fact: Fact,
}

/// A fact that has no number yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// When it happened.
    pub at: Timestamp,
    /// The project it belongs to.
    pub project_id: ProjectId,
    /// The work item it is about.
    pub work_item_id: Option<WorkItemId>,
    /// The run it is about.
    pub run_id: Option<RunId>,
    /// What happened.
    pub fact: Fact,
}

impl NewEvent {
    /// Gives the event its number.
    pub fn numbered(self, seq: EventSeq) -> Event {
        let Self { at, project_id, work_item_id, run_id, fact } = self;
        Event { seq, at, project_id, work_item_id, run_id, fact }
    }
}

/// What happened. The tag is the event's type on the wire, the rest its payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "payload")]
pub enum Fact {
    /// A project was made.
    #[serde(rename = "project.created")]
    ProjectCreated {
        /// Its name.
        name: String,
    },
    /// A project was changed.
    #[serde(rename = "project.updated")]
    ProjectUpdated {},
    /// A project was put away.
    #[serde(rename = "project.archived")]
    ProjectArchived {},
    /// A work item was made.
    #[serde(rename = "work_item.created")]
    WorkItemCreated {
        /// Its title.
        title: String,
        /// Whether its final failure stops what waits for it to be done.
        #[serde(default = "critical")]
        critical: bool,
        /// What it waits for from the beginning.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        depends_on: Vec<Dependency>,
    },
    /// A work item, its recipe or its policy was changed.
    #[serde(rename = "work_item.updated")]
    WorkItemUpdated {
        /// The members that were changed.
        changed: Vec<String>,
    },
    /// A work item was put into the queue, or what it waits for grew.
    #[serde(rename = "work_item.queued")]
    WorkItemQueued {
        /// Unmet dependencies.
        unmet: u32,
        /// Approvals that hold it.
        approvals: u32,
        /// Not before this moment.
        due_at: Option<Timestamp>,
    },
    /// A work item now waits for another one.
    #[serde(rename = "work_item.dependency_added")]
    DependencyAdded {
        /// What it waits for.
        depends_on: WorkItemId,
        /// Which end of it.
        when: When,
    },
    /// A work item can't start unless a dependency is mended.
    #[serde(rename = "work_item.blocked")]
    WorkItemBlocked {
        /// Why.
        reason: Code,
        /// The dependency.
        by: WorkItemId,
    },
    /// What blocked a work item was mended.
    #[serde(rename = "work_item.unblocked")]
    WorkItemUnblocked {},
    /// Nothing holds the work item any more: it can be claimed.
    #[serde(rename = "work_item.ready")]
    WorkItemReady {},
    /// A failed work item will be tried again.
    #[serde(rename = "work_item.retry_scheduled")]
    RetryScheduled {
        /// Failures so far.
        failures: u32,
        /// Not before this moment.
        due_at: Timestamp,
    },
    /// A work item came to its end.
    #[serde(rename = "work_item.finished")]
    WorkItemFinished {
        /// How: `succeeded`, `failed` or `cancelled`.
        status: Status,
    },
    /// A priority moved by itself, near what a person set.
    #[serde(rename = "work_item.priority_moved")]
    PriorityMoved {
        /// What it is now.
        priority: u8,
        /// What a person set.
        set: u8,
        /// Why it is not that; empty where it is again.
        reasons: Vec<crate::queue::priority::Reason>,
    },
    /// A person brought a work item back into the queue.
    #[serde(rename = "work_item.requeued")]
    WorkItemRequeued {
        /// Not before this moment.
        due_at: Option<Timestamp>,
    },
    /// A work item was put away.
    #[serde(rename = "work_item.archived")]
    WorkItemArchived {},
    /// An approval was asked for.
    #[serde(rename = "approval.requested")]
    ApprovalRequested {
        /// The approval.
        approval_id: ApprovalId,
        /// What is to be approved.
        kind: crate::approval::Kind,
        /// Whether an agent asked in the middle of its work: a no holds nothing then.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        in_turn: bool,
    },
    /// A person said yes or no.
    #[serde(rename = "approval.decided")]
    ApprovalDecided {
        /// The approval.
        approval_id: ApprovalId,
        /// What they said.
        status: crate::approval::Status,
        /// Who said it.
        by: Option<String>,
    },
    /// A rule of the command policy is about a command of a run.
    #[serde(rename = "run.command_found")]
    CommandFound {
        /// The number of the step.
        step: u32,
        /// What is done about it.
        level: crate::found_command::Level,
        /// The rule.
        rule: String,
        /// The command.
        command: String,
    },
    /// A command of a run asked its proxy for a host and did not get it; told of once in a run.
    #[serde(rename = "run.host_refused")]
    HostRefused {
        /// Its name or address.
        host: String,
        /// The port.
        port: u16,
        /// Why.
        reason: String,
    },
    /// A run's agent, or its worker, told something. On the wire its type is the plain word, and what it says its payload.
    #[serde(rename = "agent.told")]
    AgentTold(Box<crate::run_event::Told>),
    /// An agent does something else than before.
    #[serde(rename = "agent.state_changed")]
    AgentStateChanged {
        /// Which.
        agent: String,
        /// What it did before; none where nothing was known of it.
        before: Option<crate::agent_state::State>,
        /// What it does.
        after: crate::agent_state::State,
    },
    /// Somebody sent a message; what it says is read by whoever may.
    #[serde(rename = "message.sent")]
    MessageSent {
        /// The message.
        message_id: MessageId,
        /// Its session.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session_id: Option<String>,
        /// Who sent it.
        from: String,
        /// To whom.
        to: String,
        /// What it is.
        kind: crate::message::MessageType,
        /// How urgent it is.
        priority: crate::message::Priority,
        /// The message that it answers.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        in_reply_to: Option<MessageId>,
    },
    /// Whom a message is for has taken it.
    #[serde(rename = "message.acknowledged")]
    MessageAcknowledged {
        /// The message.
        message_id: MessageId,
        /// Its session.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session_id: Option<String>,
        /// Who took it.
        to: String,
    },
    /// A message went that nobody had taken in all the time for which messages are kept.
    #[serde(rename = "message.expired")]
    MessageExpired {
        /// The message.
        message_id: MessageId,
        /// Its session.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session_id: Option<String>,
        /// Whom it was for.
        to: String,
    },
    /// A session is pursued for the first time.
    #[serde(rename = "session.begun")]
    SessionBegun(Box<SessionNews>),
    /// Nothing more of a session begins for now.
    #[serde(rename = "session.paused")]
    SessionPaused(Box<SessionNews>),
    /// A session goes on.
    #[serde(rename = "session.resumed")]
    SessionResumed(Box<SessionNews>),
    /// Only a person brings a session further.
    #[serde(rename = "session.waiting")]
    SessionWaiting(Box<SessionNews>),
    /// A person, a decision, a conflict or an interruption ended a session.
    #[serde(rename = "session.stopped")]
    SessionStopped(Box<SessionNews>),
    /// A session came to its end.
    #[serde(rename = "session.ended")]
    SessionEnded(Box<SessionNews>),
    /// A run was made; nobody holds it yet.
    #[serde(rename = "run.created")]
    RunCreated {
        /// Its ordinal among the item's attempts.
        attempt: u32,
    },
    /// A worker took a run.
    #[serde(rename = "run.claimed")]
    RunClaimed {
        /// Its ordinal among the item's attempts.
        attempt: u32,
        /// The holder.
        worker: WorkerId,
        /// The token of the lease.
        fence: Fence,
        /// How often it was taken over from a holder that vanished.
        takeovers: u32,
    },
    /// A holder's time was over; anybody may take the run.
    #[serde(rename = "run.lease_expired")]
    LeaseExpired {
        /// The holder that vanished.
        worker: WorkerId,
        /// The token of the lease.
        fence: Fence,
    },
    /// A holder whose time was over renewed its lease before anybody else had claimed.
    #[serde(rename = "run.lease_resumed")]
    LeaseResumed {
        /// The holder that came back.
        worker: WorkerId,
        /// The token of the lease.
        fence: Fence,
    },
    /// A worker gave a run back unfinished.
    #[serde(rename = "run.handed_back")]
    RunHandedBack {
        /// The token of the lease.
        fence: Fence,
    },
    /// A run ended well.
    #[serde(rename = "run.succeeded")]
    RunSucceeded {
        /// The token under which it ended; none when a person completed it.
        fence: Option<Fence>,
    },
    /// A run failed.
    #[serde(rename = "run.failed")]
    RunFailed {
        /// The token under which it ended; none when a person completed it.
        fence: Option<Fence>,
        /// What kind of failure it was.
        class: ErrorClass,
    },
    /// A person stopped a run.
    #[serde(rename = "run.cancelled")]
    RunCancelled {},
    /// A person asked a run to stand still.
    #[serde(rename = "run.paused")]
    RunPaused {},
    /// A person let a run go on.
    #[serde(rename = "run.resumed")]
    RunResumed {},
    /// A run asks a person something, and waits.
    #[serde(rename = "info_request.asked")]
    InfoRequested {
        /// The request.
        info_request_id: InfoRequestId,
        /// The names of what is asked for.
        fields: Vec<String>,
    },
    /// A person answered; the values are nobody's to see.
    #[serde(rename = "info_request.answered")]
    InfoAnswered {
        /// The request.
        info_request_id: InfoRequestId,
        /// Who answered.
        by: Option<String>,
    },
    /// Nobody needs the answer any more.
    #[serde(rename = "info_request.cancelled")]
    InfoCancelled {
        /// The request.
        info_request_id: InfoRequestId,
    },
    /// A run left a file to be kept, or a person did for it.
    #[serde(rename = "run.artifact_stored")]
    ArtifactStored {
        /// The artifact.
        artifact_id: ArtifactId,
        /// Its path.
        path: ArtifactPath,
        /// How large it is.
        bytes: u64,
        /// The SHA-256 of what is in it.
        sha256: String,
        /// The token under which it came; none from a person.
        fence: Option<Fence>,
    },
    /// A project has a new version of its vision.
    #[serde(rename = "vision.changed")]
    VisionChanged {
        /// Which, from 1.
        version: u32,
    },
    /// A draft of requirements was derived from a vision.
    #[serde(rename = "draft.proposed")]
    DraftProposed {
        /// The draft.
        draft_id: DraftId,
        /// The version of the vision.
        vision_version: u32,
    },
    /// A person changed a draft.
    #[serde(rename = "draft.edited")]
    DraftEdited {
        /// The draft.
        draft_id: DraftId,
    },
    /// A person said yes or no to a draft.
    #[serde(rename = "draft.decided")]
    DraftDecided {
        /// The draft.
        draft_id: DraftId,
        /// What they said.
        status: crate::requirements::Status,
        /// The work items that were made of it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        work_items: Vec<WorkItemId>,
    },
    /// A project's caps were set.
    #[serde(rename = "quota.changed")]
    QuotaChanged {
        /// The caps.
        quota: crate::quota::Quota,
    },
    /// A schedule was made.
    #[serde(rename = "schedule.created")]
    ScheduleCreated {
        /// The schedule.
        schedule_id: ScheduleId,
    },
    /// A schedule was changed.
    #[serde(rename = "schedule.changed")]
    ScheduleChanged {
        /// The schedule.
        schedule_id: ScheduleId,
    },
    /// A schedule was removed.
    #[serde(rename = "schedule.removed")]
    ScheduleRemoved {
        /// The schedule.
        schedule_id: ScheduleId,
    },
    /// A schedule brought its item into the queue.
    #[serde(rename = "schedule.fired")]
    ScheduleFired {
        /// The schedule.
        schedule_id: ScheduleId,
        /// For which moment.
        due_at: Timestamp,
    },
    /// A firing of a schedule came to nothing.
    #[serde(rename = "schedule.skipped")]
    ScheduleSkipped {
        /// The schedule.
        schedule_id: ScheduleId,
        /// For which moment.
        due_at: Timestamp,
        /// Why.
        reason: String,
    },
    /// One of several people whose approval is needed said yes.
    #[serde(rename = "approval.voted")]
    ApprovalVoted {
        /// The approval.
        approval_id: ApprovalId,
        /// Who said it.
        by: Option<String>,
        /// How many more are needed.
        missing: u8,
    },
    /// An agent's entries wait, and no worker that takes them was heard of for long.
    #[serde(rename = "heartbeat_miss")]
    HeartbeatMiss {
        /// The agent.
        agent: String,
        /// Since when they wait.
        since: Timestamp,
    },
    /// An agent that was meant is not there, and the generalist of its domain does the work.
    #[serde(rename = "agent.missing")]
    AgentMissing {
        /// Who was meant.
        wanted: String,
        /// Who does it.
        used: String,
        /// Who is to be told.
        notify: Vec<String>,
    },
    /// A publication of agents serves from now on. It belongs to no project.
    #[serde(rename = "registry.reloaded")]
    RegistryReloaded(Box<crate::registry_news::Reloaded>),
    /// A publication of agents does not serve, and the one before serves on. It belongs to no project.
    #[serde(rename = "registry.refused")]
    RegistryRefused(Box<crate::registry_news::Refused>),
    /// Agents' definitions name receivers that nobody has. It belongs to no project.
    #[serde(rename = "receiver.unknown")]
    ReceiverUnknown {
        /// The names.
        names: Vec<String>,
    },
    /// It was said what an alias is. It belongs to no project.
    #[serde(rename = "alias.set")]
    AliasSet {
        /// Its name.
        name: String,
        /// The id of its agent.
        agent: String,
    },
    /// An alias is gone. It belongs to no project.
    #[serde(rename = "alias.removed")]
    AliasRemoved {
        /// Its name.
        name: String,
    },
    /// A run was given up after too many holders had vanished.
    #[serde(rename = "run.lost")]
    RunLost {
        /// How often it had been taken over.
        takeovers: u32,
    },
}

/// What a work item is unless its maker says otherwise.
const fn critical() -> bool {
    true
}
