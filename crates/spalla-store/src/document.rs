//! Documents: what is small, belongs to a project, a work item or a run, and is never claimed. Each is kept as JSON
//! beside the few things that its lists and the clock go by, so that a further kind needs no table.

use crate::error::StoreError;
use crate::tx::Result;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use spalla_domain::access::token::Token;
use spalla_domain::agent_state::AgentStates;
use spalla_domain::alias::Alias;
use spalla_domain::approval::tally::{Need, Vote};
use spalla_domain::info_request::InfoRequest;
use spalla_domain::message::{MESSAGE_KEPT_MS, Mailboxes, Message};
use spalla_domain::quota::Quota;
use spalla_domain::requirements::{RequirementsDraft, Vision};
use spalla_domain::run_event::RunEvents;
use spalla_domain::schedule::Schedule;
use spalla_domain::scorecard::Scorecards;
use spalla_domain::webhook::Webhook;
use spalla_domain::{ApprovalId, ArtifactId, ProjectId, RunId, Timestamp, WorkItemId};
use std::collections::BTreeSet;

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal,)*) => {
        /// What a document is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind { $($(#[$doc])* $kind,)* }

        impl Kind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)*];

            /// Returns the name in the database.
            pub(crate) const fn as_str(self) -> &'static str {
                match self { $(Self::$kind => $name,)* }
            }

            /// Reads the name back.
            pub(crate) fn parse(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$kind),)* _ => None }
            }
        }
    };
}

kinds! {
    /// A version of a project's intent.
    Vision = "vision",
    /// A draft of requirements.
    Draft = "draft",
    /// The caps of a project.
    Quota = "quota",
    /// When a work item runs again and again.
    Schedule = "schedule",
    /// A question to a person.
    InfoRequest = "info_request",
    /// Who has to agree to an approval, and who did.
    Votes = "votes",
    /// Which agents wait for a worker.
    Starvation = "starvation",
    /// A file that is on its way in.
    Upload = "upload",
    /// What somebody shows to be let in.
    Token = "token",
    /// To where events are sent.
    Webhook = "webhook",
    /// Which hosts a run's proxy refused.
    Refusals = "refusals",
    /// What is known of the events that were told of a run.
    RunEvents = "run_events",
    /// A message.
    Message = "message",
    /// What waits in the mailboxes of a project.
    Mailboxes = "mailboxes",
    /// What the agents of a project do.
    AgentStates = "agent_states",
    /// An agent under another name.
    Alias = "alias",
    /// How the runs of a project's agents went.
    Scorecards = "scorecards",
}

/// A document as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// What it is.
    pub kind: Kind,
    /// Its number among its kind.
    pub id: i64,
    /// What it belongs to: the number of a project, a work item or a run.
    pub owner: i64,
    /// Its state; empty where it has none.
    pub status: String,
    /// When the clock looks at it.
    pub due_at: Option<Timestamp>,
    /// All of it, as JSON.
    pub body: String,
}

impl Document {
    /// Reads what it holds.
    pub fn read<K: Kept>(&self) -> Result<K> {
        serde_json::from_str(&self.body).map_err(|error| {
            StoreError::Corrupt(format!("{} {} does not parse: {error}", self.kind.as_str(), self.id))
        })
    }
}

/// What can be kept as a document.
pub trait Kept: Serialize + DeserializeOwned {
    /// What it is.
    const KIND: Kind;

    /// Returns its number among its kind.
    fn id(&self) -> i64;

    /// Returns the number of what it belongs to.
    fn owner(&self) -> i64;

    /// Returns its state.
    fn status(&self) -> &'static str {
        ""
    }

    /// Returns when the clock looks at it.
    fn due_at(&self) -> Option<Timestamp> {
        None
    }

    /// Writes it as a document.
    fn document(&self) -> Result<Document> {
        let body = serde_json::to_string(self)
            .map_err(|error| StoreError::Corrupt(format!("writing a {}: {error}", Self::KIND.as_str())))?;
        let (kind, id, owner) = (Self::KIND, self.id(), self.owner());
        Ok(Document { kind, id, owner, status: self.status().to_owned(), due_at: self.due_at(), body })
    }
}

/// A vision with its number among all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptVision {
    /// Its number among all visions.
    pub id: i64,
    /// The vision.
    pub vision: Vision,
}

/// The caps of a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectQuota {
    /// Whose.
    pub project_id: ProjectId,
    /// The caps.
    pub quota: Quota,
    /// When a person set them.
    pub updated_at: Timestamp,
}

/// A schedule with the moment at which it fires next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptSchedule {
    /// The schedule.
    pub schedule: Schedule,
    /// When the clock looks at it; none while it is switched off.
    pub next_at: Option<Timestamp>,
}

/// An info request with its answer, which only its run may read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptInfoRequest {
    /// The request.
    pub request: InfoRequest,
    /// The values, encrypted by the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<String>,
}

/// Who has to agree to an approval, and who did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalVotes {
    /// The approval.
    pub approval_id: ApprovalId,
    /// What it holds.
    pub work_item_id: WorkItemId,
    /// Who has to.
    pub need: Need,
    /// Who did.
    pub votes: Vec<Vote>,
}

/// The agents whose entries wait while no worker takes them; there is one such document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Starvation {
    /// Which.
    pub(crate) waiting: Vec<Starving>,
    /// When the clock looks again.
    pub(crate) look_at: Timestamp,
}

/// An agent whose entries of one project wait for a worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Starving {
    /// Whose entries.
    pub(crate) project_id: ProjectId,
    /// The agent.
    pub(crate) agent: String,
    /// When that was seen first.
    pub(crate) since: Timestamp,
    /// Whether it was told.
    pub(crate) is_told: bool,
}

impl Starvation {
    /// The number of the one document.
    pub(crate) const ID: i64 = 1;
}

impl Kept for Starvation {
    const KIND: Kind = Kind::Starvation;

    fn id(&self) -> i64 {
        Self::ID
    }

    fn owner(&self) -> i64 {
        0
    }

    fn due_at(&self) -> Option<Timestamp> {
        Some(self.look_at)
    }
}

/// A file that is on its way in: its chunks belong to nothing else yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upload {
    /// The artifact that it becomes.
    pub id: ArtifactId,
    /// Whose.
    pub run_id: RunId,
    /// When it is given up.
    pub until: Timestamp,
}

impl Kept for Upload {
    const KIND: Kind = Kind::Upload;

    fn id(&self) -> i64 {
        self.id.0
    }

    fn owner(&self) -> i64 {
        self.run_id.0
    }

    fn due_at(&self) -> Option<Timestamp> {
        Some(self.until)
    }
}

/// The hosts that a run's proxy refused and that were told of: their names and ports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RunRefusals {
    /// Whose.
    pub(crate) run_id: RunId,
    /// Which.
    pub(crate) hosts: BTreeSet<String>,
}

impl Kept for RunRefusals {
    const KIND: Kind = Kind::Refusals;

    fn id(&self) -> i64 {
        self.run_id.0
    }

    fn owner(&self) -> i64 {
        self.run_id.0
    }
}

impl Kept for RunEvents {
    const KIND: Kind = Kind::RunEvents;

    fn id(&self) -> i64 {
        self.run_id.0
    }

    fn owner(&self) -> i64 {
        self.run_id.0
    }
}

impl Kept for Message {
    const KIND: Kind = Kind::Message;

    fn id(&self) -> i64 {
        self.id.0
    }

    fn owner(&self) -> i64 {
        self.project_id.0
    }

    fn status(&self) -> &'static str {
        self.status()
    }

    fn due_at(&self) -> Option<Timestamp> {
        Some(self.sent_at.plus_ms(MESSAGE_KEPT_MS))
    }
}

impl Kept for Mailboxes {
    const KIND: Kind = Kind::Mailboxes;

    fn id(&self) -> i64 {
        self.project_id.0
    }

    fn owner(&self) -> i64 {
        self.project_id.0
    }
}

impl Kept for AgentStates {
    const KIND: Kind = Kind::AgentStates;

    fn id(&self) -> i64 {
        self.project_id.0
    }

    fn owner(&self) -> i64 {
        self.project_id.0
    }
}

impl Kept for Alias {
    const KIND: Kind = Kind::Alias;

    fn id(&self) -> i64 {
        self.id.0
    }

    /// An alias belongs to no project.
    fn owner(&self) -> i64 {
        0
    }
}

impl Kept for Scorecards {
    const KIND: Kind = Kind::Scorecards;

    fn id(&self) -> i64 {
        self.project_id.0
    }

    fn owner(&self) -> i64 {
        self.project_id.0
    }
}

impl Kept for Token {
    const KIND: Kind = Kind::Token;

    fn id(&self) -> i64 {
        self.id.0
    }

    /// A token belongs to no project, even where it opens only one.
    fn owner(&self) -> i64 {
        0
    }

    fn status(&self) -> &'static str {
        if self.revoked_at.is_some() { "revoked" } else { "active" }
    }
}

impl Kept for Webhook {
    const KIND: Kind = Kind::Webhook;

    fn id(&self) -> i64 {
        self.id.0
    }

    fn owner(&self) -> i64 {
        self.spec.project_id.map_or(0, |id| id.0)
    }

    fn status(&self) -> &'static str {
        if self.is_enabled() { "enabled" } else { "disabled" }
    }
}

impl Kept for KeptVision {
    const KIND: Kind = Kind::Vision;

    fn id(&self) -> i64 {
        self.id
    }

    fn owner(&self) -> i64 {
        self.vision.project_id.0
    }
}

impl Kept for RequirementsDraft {
    const KIND: Kind = Kind::Draft;

    fn id(&self) -> i64 {
        self.id.0
    }

    fn owner(&self) -> i64 {
        self.project_id.0
    }

    fn status(&self) -> &'static str {
        self.status.as_str()
    }
}

impl Kept for ProjectQuota {
    const KIND: Kind = Kind::Quota;

    fn id(&self) -> i64 {
        self.project_id.0
    }

    fn owner(&self) -> i64 {
        self.project_id.0
    }
}

impl Kept for KeptSchedule {
    const KIND: Kind = Kind::Schedule;

    fn id(&self) -> i64 {
        self.schedule.id.0
    }

    fn owner(&self) -> i64 {
        self.schedule.spec.work_item_id.0
    }

    fn due_at(&self) -> Option<Timestamp> {
        self.next_at
    }
}

impl Kept for KeptInfoRequest {
    const KIND: Kind = Kind::InfoRequest;

    fn id(&self) -> i64 {
        self.request.id.0
    }

    fn owner(&self) -> i64 {
        self.request.run_id.0
    }

    fn status(&self) -> &'static str {
        self.request.status.as_str()
    }
}

impl Kept for ApprovalVotes {
    const KIND: Kind = Kind::Votes;

    fn id(&self) -> i64 {
        self.approval_id.0
    }

    fn owner(&self) -> i64 {
        self.work_item_id.0
    }
}
