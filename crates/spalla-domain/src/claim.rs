//! The claim protocol: the only way in which engine and worker meet, in process or over HTTP. Every write of a
//! worker carries the run's id and the fencing token that it was given.

use crate::adapter::Adapter;
use crate::chosen::ChosenDefinition;
use crate::limits::Said;
use crate::log::LogLine;
use crate::resources::Capacity;
use crate::retry::ErrorClass;
use crate::sandbox::Attested;
use crate::work_item::Executor;
use crate::{Fence, ProjectId, RunId, Timestamp, WorkItemId, WorkerId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// How long a lease lasts when the claimer does not say, in milliseconds.
pub const LEASE_TTL_MS_DEFAULT: i64 = 300_000;
/// The shortest and the longest lease, in milliseconds.
pub const LEASE_TTL_MS_RANGE: std::ops::RangeInclusive<i64> = 100..=86_400_000;
/// The most runs one claim may take.
pub const CLAIM_RUNS_MAX: u32 = 500;

/// What a worker wants to take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimRequest {
    /// Who will hold the leases.
    pub worker_id: WorkerId,
    /// How many runs at most.
    pub max: u32,
    /// How long each lease lasts, in milliseconds.
    pub ttl_ms: i64,
    /// The executors that the worker can carry out; empty means any.
    pub executors: Vec<Executor>,
    /// Takes only items that bear at least one of these labels; empty means any.
    pub labels: Vec<String>,
    /// What the worker has for all its runs together; none means that nothing is counted.
    pub resources: Option<Box<Capacity>>,
}

/// What a worker can do, as it says when it claims.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Offer {
    /// The executors that it can carry out; empty means any.
    pub executors: Vec<Executor>,
    /// Takes only items that bear at least one of these labels; empty means any.
    pub labels: Vec<String>,
    /// What it has for all its runs together; none means that nothing is counted.
    pub resources: Option<Capacity>,
}

impl Offer {
    /// Tells whether the worker takes items of an executor with these labels.
    pub fn takes(&self, executor: Executor, labels: &[String]) -> bool {
        (self.executors.is_empty() || self.executors.contains(&executor))
            && (self.labels.is_empty() || self.labels.iter().any(|label| labels.contains(label)))
    }
}

impl ClaimRequest {
    /// Returns what the worker can do.
    pub fn offer(&self) -> Offer {
        let Self { executors, labels, resources, .. } = self.clone();
        Offer { executors, labels, resources: resources.map(|capacity| *capacity) }
    }
}

/// One run handed to a worker: the lease, and all that is needed to carry the run out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Assignment {
    /// The run.
    pub run_id: RunId,
    /// What is to be done.
    pub work_item_id: WorkItemId,
    /// Whose it is.
    pub project_id: ProjectId,
    /// The token that every write about this run must carry.
    pub fencing_token: Fence,
    /// When the lease ends unless a heartbeat extends it.
    pub expires_at: Timestamp,
    /// The run's ordinal among the item's attempts, from 1.
    pub attempt: u32,
    /// Ties the run's traces together: 32 hexadecimal digits.
    pub trace_id: String,
    /// The number that the worker's first log line gets.
    pub next_log_seq: i64,
    /// What carries the run out.
    pub executor: Executor,
    /// The agent, where the executor is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The item's title.
    pub title: String,
    /// The item's description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The item's prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// The item's labels, sorted.
    #[serde(default)]
    pub labels: Vec<String>,
    /// The recipe as YAML; none means the steps are inferred.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipe: Option<String>,
    /// How the agent is to be called, where that differs from what its adapter says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter: Option<Adapter>,
    /// The definition that the agent works by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<Box<ChosenDefinition>>,
    /// How many tokens the run may use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_budget: Option<u32>,
    /// How long the run may take, in milliseconds.
    pub timeout_ms: i64,
    /// What the project and the item say of how much its commands may use.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<Said>,
    /// The project's repository: an absolute local path or a git URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
}

/// The end of a run as its worker reports it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Completion {
    /// The run.
    pub run_id: RunId,
    /// The token of the lease under which it was carried out.
    pub fencing_token: Fence,
    /// Whether what was asked was done.
    pub success: bool,
    /// The exit status of the step that decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// What the run produced, any JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Box<RawValue>>,
    /// What the run used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<RunError>,
    /// Which walls stood around its commands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<Box<Attested>>,
}

/// What a run used; unknown members stay unknown and are never taken for zero.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Usage {
    /// Tokens read by a model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<u64>,
    /// Tokens written by a model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<u64>,
    /// What it cost, in US dollars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<f64>,
}

/// Why a run failed, with the class that decides whether trying again makes sense.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunError {
    /// What kind of failure it was.
    #[serde(default)]
    pub class: ErrorClass,
    /// What happened, and how to mend it.
    pub message: String,
    /// When a limit that was met is over, where the service said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
}

impl RunError {
    /// Makes an error of which nobody said when it passes.
    pub fn new(class: ErrorClass, message: impl Into<String>) -> Self {
        Self { class, message: message.into(), retry_at: None }
    }
}

/// Asks to extend one lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Heartbeat {
    /// The run.
    pub run_id: RunId,
    /// The token of the lease.
    pub fencing_token: Fence,
}

/// What a worker is to do about one of its runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeartbeatAnswer {
    /// The run.
    pub run_id: RunId,
    /// End it: it was cancelled.
    pub cancel: bool,
    /// Hold it: a person paused it.
    pub pause: bool,
}

/// A write that was refused and changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// The run.
    pub run_id: RunId,
    /// The stable code of the reason, such as `stale_token`.
    pub reason: String,
}

/// Completes a batch, extends leases and claims the next runs, in one transaction.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// Runs that ended.
    pub completed: Vec<Completion>,
    /// Leases to extend.
    pub heartbeats: Vec<Heartbeat>,
    /// Who asks and what it wants; `max` may be 0.
    pub claim: ClaimRequest,
}

/// The answer to an exchange.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ExchangeReply {
    /// Completions that are on disk.
    pub completed: Vec<RunId>,
    /// Completions and heartbeats that were refused; the worker stops these runs.
    pub refused: Vec<Refused>,
    /// The state of the leases that were extended.
    pub heartbeats: Vec<HeartbeatAnswer>,
    /// New runs.
    pub runs: Vec<Assignment>,
}

/// Consecutive log lines of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogBatch {
    /// The run.
    pub run_id: RunId,
    /// The token of the lease.
    pub fencing_token: Fence,
    /// The number of the first line, where the sender numbers its lines: repeated lines are then dropped, and a
    /// gap is refused. None lets the store number them.
    pub first_seq: Option<i64>,
    /// The lines.
    pub lines: Vec<LogLine>,
}
