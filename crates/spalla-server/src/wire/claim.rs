//! The claim protocol on the wire: claim and exchange. What is handed to a worker reads back as the domain's
//! `Assignment`, so that a remote worker and one in process see the same.

use super::adapter::Adapter;
use super::definition::ChosenDefinition;
use super::limits::SaidLimits;
use super::number::{ClaimMax, Dollars, ExchangeMax, ExitCode, IdNumber, Ordinal};
use super::object::{object, objects};
use super::resources::Stock;
use super::run::ErrorClass;
use super::sandbox::SandboxBody;
use super::seconds::{Ttl, Wait};
use super::text::{Prose, Word, WorkerName};
use super::work_item::Executor;
use super::worker::{holder, ttl_ms};
use super::{BATCH_BYTES_MAX, Body, either, present};
use crate::problem::Problem;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use spalla_domain::claim::{self, ClaimRequest, Completion, Exchange, ExchangeReply, Heartbeat};
use spalla_domain::lease::Lease;
use spalla_domain::{Fence, RunId, Timestamp, WorkerId};
use std::time::Duration;
use utoipa::ToSchema;

/// Who holds a run, and until when.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LeaseView {
    /// The holder.
    worker_id: String,
    /// From this moment on anybody may take the run over.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

impl LeaseView {
    /// Shows a lease.
    pub(crate) fn new(worker: WorkerId, expires_at: Timestamp) -> Self {
        Self { worker_id: worker.into(), expires_at }
    }
}

impl From<Lease> for LeaseView {
    fn from(lease: Lease) -> Self {
        Self::new(lease.worker, lease.until)
    }
}

/// What a run used, as its worker says; what is left out is not known, and not taken for zero.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UsageBody {
    /// Tokens read by a model.
    #[schema(inline)]
    input_tokens: Option<Ordinal>,
    /// Tokens written by a model.
    #[schema(inline)]
    output_tokens: Option<Ordinal>,
    /// What it cost, in US dollars.
    #[schema(inline)]
    cost_usd: Option<Dollars>,
}

impl From<UsageBody> for claim::Usage {
    fn from(body: UsageBody) -> Self {
        Self {
            input_tokens: body.input_tokens.map(Ordinal::unsigned),
            output_tokens: body.output_tokens.map(Ordinal::unsigned),
            cost_usd: body.cost_usd.map(Dollars::get),
        }
    }
}

/// What a run used; null is not known.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Usage {
    /// Tokens read by a model.
    input_tokens: Option<u64>,
    /// Tokens written by a model.
    output_tokens: Option<u64>,
    /// What it cost, in US dollars.
    cost_usd: Option<f64>,
}

impl From<claim::Usage> for Usage {
    fn from(usage: claim::Usage) -> Self {
        Self {
            input_tokens: usage.input_tokens,
            output_tokens: usage.output_tokens,
            cost_usd: usage.cost_usd,
        }
    }
}

/// Why a run failed: a message, or its class and a message.
#[derive(Debug)]
pub(crate) enum ErrorBody {
    /// What happened.
    Message(Prose),
    /// What kind of failure it was, and what happened.
    Classed(ClassedError),
}

either! {
    ErrorBody = "a message, or {class, message}",
    Message(Prose) by visit_str(&str),
    Classed(ClassedError);
}

/// Why a run failed, with its class.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClassedError {
    /// What kind of failure it was; `failed` when left out.
    class: Option<ErrorClass>,
    /// What happened.
    #[schema(inline)]
    message: Prose,
    /// When a limit that was met is over, where the service said so: the item waits until then, and no retry is spent.
    #[schema(value_type = Option<String>, format = DateTime)]
    retry_at: Option<Timestamp>,
}

impl From<ErrorBody> for claim::RunError {
    fn from(body: ErrorBody) -> Self {
        let (class, message, retry_at) = match body {
            ErrorBody::Message(message) => (None, message, None),
            ErrorBody::Classed(error) => (error.class, error.message, error.retry_at),
        };
        Self { class: class.map(Into::into).unwrap_or_default(), message: message.into(), retry_at }
    }
}

/// One run handed to a worker: the lease, and all that is needed to carry the run out.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Assignment {
    /// The run.
    run_id: i64,
    /// What is to be done.
    work_item_id: i64,
    /// Whose it is.
    project_id: i64,
    /// The token that every write about this run must carry.
    fencing_token: i64,
    /// When the lease ends unless a heartbeat extends it.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) expires_at: Timestamp,
    /// The run's ordinal among the item's attempts, from 1.
    attempt: u32,
    /// Ties the run's traces together: 32 hexadecimal digits.
    trace_id: String,
    /// The number that the worker's first log line gets.
    next_log_seq: i64,
    /// What carries the run out.
    executor: Executor,
    /// The agent, where the executor is one.
    agent: Option<String>,
    /// The item's title.
    title: String,
    /// The item's description.
    description: Option<String>,
    /// The item's prompt.
    prompt: Option<String>,
    /// The item's labels, sorted.
    labels: Vec<String>,
    /// The recipe as YAML; null means the steps are inferred.
    recipe: Option<String>,
    /// How the agent is to be called, where that differs from what its adapter says.
    adapter: Option<Adapter>,
    /// The definition that the agent works by; null where it is told the task alone.
    definition: Option<ChosenDefinition>,
    /// How many tokens the run may use; null where nobody said.
    token_budget: Option<u32>,
    /// How long the run may take, in milliseconds.
    timeout_ms: i64,
    /// What the project and the item say of how much commands may use.
    limits: Vec<SaidLimits>,
    /// The project's repository: an absolute local path or a git URL.
    repository: Option<String>,
}

impl From<claim::Assignment> for Assignment {
    fn from(a: claim::Assignment) -> Self {
        Self {
            run_id: a.run_id.0,
            work_item_id: a.work_item_id.0,
            project_id: a.project_id.0,
            fencing_token: a.fencing_token.0,
            expires_at: a.expires_at,
            attempt: a.attempt,
            trace_id: a.trace_id,
            next_log_seq: a.next_log_seq,
            executor: a.executor.into(),
            agent: a.agent,
            title: a.title,
            description: a.description,
            prompt: a.prompt,
            labels: a.labels,
            recipe: a.recipe,
            adapter: a.adapter.map(Into::into),
            definition: a.definition.map(|chosen| ChosenDefinition::whole(*chosen)),
            token_budget: a.token_budget,
            timeout_ms: a.timeout_ms,
            limits: a.limits.into_iter().map(Into::into).collect(),
            repository: a.repository,
        }
    }
}

/// A wish to hold runs.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClaimBody {
    /// Who will hold them; `agent_id` is accepted too.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = WorkerName, inline, required = false)]
    worker_id: Option<WorkerName>,
    /// Another name of `worker_id`.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = WorkerName, inline, required = false)]
    agent_id: Option<WorkerName>,
    /// How many at most; 1 when left out.
    #[schema(inline)]
    max: Option<ClaimMax>,
    /// How long to wait where there is nothing to claim; 0 when left out.
    #[schema(inline)]
    wait_seconds: Option<Wait>,
    /// How long each lease lasts; 300 when left out.
    #[schema(inline)]
    ttl_seconds: Option<Ttl>,
    /// The executors that the worker can carry out; empty means any.
    #[serde(default)]
    executors: Vec<Executor>,
    /// Takes only items that bear at least one of these labels; empty means any.
    #[serde(default)]
    #[schema(inline)]
    labels: Vec<Word>,
    /// What the worker has for all its runs together, by name; left out, nothing is counted.
    #[schema(inline)]
    resources: Option<Stock>,
}

impl Body for ClaimBody {}

impl ClaimBody {
    /// Returns the wish, and how long it may wait.
    pub(crate) fn into_request(self) -> Result<(ClaimRequest, Duration), Problem> {
        let wait = self.wait_seconds.map(Wait::duration).unwrap_or_default();
        let request = ClaimRequest {
            worker_id: holder(self.worker_id, self.agent_id)?,
            max: self.max.map_or(1, ClaimMax::small),
            ttl_ms: ttl_ms(self.ttl_seconds),
            executors: self.executors.into_iter().map(Into::into).collect(),
            labels: self.labels.into_iter().map(Into::into).collect(),
            resources: self.resources.map(|stock| Box::new(stock.0)),
        };
        Ok((request, wait))
    }
}

/// The runs claimed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ClaimAnswer {
    /// The runs; empty when there was nothing to claim.
    pub(crate) runs: Vec<Assignment>,
}

impl From<Vec<claim::Assignment>> for ClaimAnswer {
    fn from(runs: Vec<claim::Assignment>) -> Self {
        Self { runs: runs.into_iter().map(Into::into).collect() }
    }
}

/// The most completions, and the most heartbeats, of one exchange: several times what a busy worker holds.
const EXCHANGE_ENTRIES_MAX: usize = 4_096;

/// Completes a batch, extends leases and claims the next runs, in one transaction.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExchangeBody {
    /// Who asks; `agent_id` is accepted too.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = WorkerName, inline, required = false)]
    worker_id: Option<WorkerName>,
    /// Another name of `worker_id`.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = WorkerName, inline, required = false)]
    agent_id: Option<WorkerName>,
    /// Runs that ended.
    #[serde(default, deserialize_with = "objects")]
    #[schema(max_items = 4096)]
    completed: Vec<CompletionBody>,
    /// Leases to extend.
    #[serde(default, deserialize_with = "objects")]
    #[schema(max_items = 4096)]
    heartbeats: Vec<HeldRun>,
    /// How many runs to claim at most; 0 when left out.
    #[schema(inline)]
    max: Option<ExchangeMax>,
    /// How long to wait where there is nothing to claim; 0 when left out.
    #[schema(inline)]
    wait_seconds: Option<Wait>,
    /// How long each lease lasts; 300 when left out.
    #[schema(inline)]
    ttl_seconds: Option<Ttl>,
    /// The executors that the worker can carry out; empty means any.
    #[serde(default)]
    executors: Vec<Executor>,
    /// Takes only items that bear at least one of these labels; empty means any.
    #[serde(default)]
    #[schema(inline)]
    labels: Vec<Word>,
    /// What the worker has for all its runs together, by name; left out, nothing is counted.
    #[schema(inline)]
    resources: Option<Stock>,
}

impl Body for ExchangeBody {
    const BYTES_MAX: usize = BATCH_BYTES_MAX;
}

/// The end of one run.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CompletionBody {
    /// The run.
    #[schema(inline)]
    run_id: IdNumber,
    /// The token of the lease under which it was carried out.
    #[schema(inline)]
    fencing_token: Ordinal,
    /// Whether what was asked was done.
    success: bool,
    /// The exit status of the step that decided.
    #[schema(inline)]
    exit_code: Option<ExitCode>,
    /// What the run produced, any JSON.
    #[schema(value_type = serde_json::Value, required = false)]
    result: Option<Box<RawValue>>,
    /// What the run used.
    #[serde(default, deserialize_with = "object")]
    usage: Option<UsageBody>,
    /// Why it failed.
    error: Option<ErrorBody>,
    /// Which walls stood around its commands.
    #[serde(default, deserialize_with = "object")]
    sandbox: Option<SandboxBody>,
}

impl From<CompletionBody> for Completion {
    fn from(body: CompletionBody) -> Self {
        Self {
            run_id: RunId(body.run_id.get()),
            fencing_token: Fence(body.fencing_token.get()),
            success: body.success,
            exit_code: body.exit_code.map(ExitCode::signed),
            result: body.result,
            usage: body.usage.map(Into::into),
            error: body.error.map(Into::into),
            sandbox: body.sandbox.map(Into::into),
        }
    }
}

/// A lease to extend.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HeldRun {
    /// The run.
    #[schema(inline)]
    run_id: IdNumber,
    /// The token of the lease.
    #[schema(inline)]
    fencing_token: Ordinal,
}

impl From<HeldRun> for Heartbeat {
    fn from(held: HeldRun) -> Self {
        Self { run_id: RunId(held.run_id.get()), fencing_token: Fence(held.fencing_token.get()) }
    }
}

impl ExchangeBody {
    /// Returns the wish, and how long it may wait.
    pub(crate) fn into_exchange(self) -> Result<(Exchange, Duration), Problem> {
        for (path, n) in [("completed", self.completed.len()), ("heartbeats", self.heartbeats.len())] {
            if n > EXCHANGE_ENTRIES_MAX {
                let message = format!("{n} entries; at most {EXCHANGE_ENTRIES_MAX} are taken at once");
                return Err(Problem::invalid(path, message).mend("send the rest in the next exchange"));
            }
        }
        let wait = self.wait_seconds.map(Wait::duration).unwrap_or_default();
        let claim = ClaimRequest {
            worker_id: holder(self.worker_id, self.agent_id)?,
            max: self.max.map_or(0, ExchangeMax::small),
            ttl_ms: ttl_ms(self.ttl_seconds),
            executors: self.executors.into_iter().map(Into::into).collect(),
            labels: self.labels.into_iter().map(Into::into).collect(),
            resources: self.resources.map(|stock| Box::new(stock.0)),
        };
        let completed = self.completed.into_iter().map(Into::into).collect();
        let heartbeats = self.heartbeats.into_iter().map(Into::into).collect();
        Ok((Exchange { completed, heartbeats, claim }, wait))
    }
}

/// What an exchange did.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ExchangeAnswer {
    /// Completions that are on disk.
    completed: Vec<i64>,
    /// Completions and heartbeats that were refused; the worker stops these runs.
    refused: Vec<RefusedRun>,
    /// The state of the leases that were extended.
    heartbeats: Vec<HeartbeatView>,
    /// New runs.
    runs: Vec<Assignment>,
}

/// A write that was refused and changed nothing.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RefusedRun {
    /// The run.
    run_id: i64,
    /// The stable code of the reason, such as `stale_token`.
    reason: String,
}

/// What the worker is to do about one of its runs.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HeartbeatView {
    /// The run.
    run_id: i64,
    /// End it: it was cancelled.
    cancel: bool,
    /// Hold it: a person paused it.
    pause: bool,
}

impl From<ExchangeReply> for ExchangeAnswer {
    fn from(reply: ExchangeReply) -> Self {
        let refused = reply.refused.into_iter().map(|r| RefusedRun { run_id: r.run_id.0, reason: r.reason });
        let heartbeats = reply.heartbeats.into_iter();
        Self {
            completed: reply.completed.into_iter().map(|id| id.0).collect(),
            refused: refused.collect(),
            heartbeats: heartbeats
                .map(|h| HeartbeatView { run_id: h.run_id.0, cancel: h.cancel, pause: h.pause })
                .collect(),
            runs: reply.runs.into_iter().map(Into::into).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use spalla_domain::chosen::{ChosenBy, ChosenDefinition, StandsIn};
    use spalla_domain::{ProjectId, WorkItemId, work_item};

    #[test]
    fn an_assignment_reads_back_as_the_domains() {
        use spalla_domain::limits;
        let assignment = claim::Assignment {
            run_id: RunId(1),
            work_item_id: WorkItemId(2),
            project_id: ProjectId(3),
            fencing_token: Fence(4),
            expires_at: Timestamp::from_ms(5_000),
            attempt: 6,
            trace_id: "0123456789abcdef0123456789abcdef".into(),
            next_log_seq: 1,
            executor: work_item::Executor::Agent,
            agent: Some("surveyor".into()),
            title: "title".into(),
            description: None,
            prompt: Some("prompt".into()),
            labels: vec!["k8s".into()],
            recipe: None,
            adapter: Some(spalla_domain::adapter::Adapter {
                approval: Some(spalla_domain::adapter::Approval::Bypass),
                args: vec!["-v".into()],
                ..Default::default()
            }),
            definition: Some(Box::new(ChosenDefinition {
                id: "reviewer".into(),
                alias: Some("careful".into()),
                digest: "d".into(),
                publication: "p".into(),
                by: ChosenBy::Routed,
                ambiguous: true,
                stands_in: Some(StandsIn { wanted: "lost".into(), notify: vec!["ada".into()] }),
                explanation: Some(serde_json::json!({"stage": "keywords"})),
                instructions: "You review.".into(),
            })),
            token_budget: Some(9_000),
            timeout_ms: 60_000,
            limits: vec![limits::Said {
                source: limits::Source::Item,
                limits: limits::Limits([(limits::Limit::MemoryMb, 64)].into()),
            }],
            repository: Some("/srv/app".into()),
        };
        let text = serde_json::to_string(&Assignment::from(assignment.clone())).unwrap();
        assert_eq!(serde_json::from_str::<claim::Assignment>(&text).unwrap(), assignment);
    }

    #[test]
    fn an_error_is_a_message_or_a_class_with_a_message() {
        let read = |text| serde_json::from_str::<ErrorBody>(text).map(claim::RunError::from);
        let class = spalla_domain::retry::ErrorClass::TimedOut;
        assert_eq!(
            read("\"boom\"").unwrap(),
            claim::RunError { class: Default::default(), message: "boom".into(), retry_at: None }
        );
        assert_eq!(
            read(r#"{"class":"timed_out","message":"slow"}"#).unwrap(),
            claim::RunError { class, message: "slow".into(), retry_at: None }
        );
        assert!(read(r#"{"class":"odd","message":"x"}"#).is_err());
        assert!(read(r#"{"message":"x","more":1}"#).is_err());
    }

    #[test]
    fn the_worker_may_be_named_by_either_word_but_not_by_two_values() {
        let read =
            |text| serde_json::from_str::<ClaimBody>(text).unwrap().into_request().map(|(r, _)| r.worker_id);
        assert_eq!(read(r#"{"agent_id":"a"}"#).unwrap(), read(r#"{"worker_id":"a"}"#).unwrap());
        assert!(read(r#"{"agent_id":"a","worker_id":"b"}"#).is_err());
        assert!(read("{}").is_err());
    }
}
