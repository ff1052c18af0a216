//! Runs on the wire.

use super::claim::{ErrorBody, LeaseView, Usage, UsageBody};
use super::number::{ExitCode, Ordinal};
use super::object::object;
use super::sandbox::SandboxView;
use super::work_item::Executor;
use super::{Body, words};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use spalla_domain::claim::RunError;
use spalla_domain::retry::ErrorClass as DomainClass;
use spalla_domain::{Fence, RunId, Timestamp, run};
use spalla_store::command::RunEnd;
use spalla_store::view::RunView;
use utoipa::ToSchema;

words! {
    /// The state of a run.
    RunStatus for run::Status {
        /// Nobody holds it: the next claim takes it, or a person completes it.
        Pending = "pending",
        /// A worker holds it.
        Running = "running",
        /// A worker holds it, and a person asked it to stand still.
        Paused = "paused",
        /// A worker holds it, and waits for a person's answer.
        AwaitingInput = "awaiting_input",
        /// It ended well.
        Succeeded = "succeeded",
        /// It failed.
        Failed = "failed",
        /// A person stopped it.
        Cancelled = "cancelled",
        /// Its holders vanished too many times.
        Lost = "lost",
    }
}

words! {
    /// What kind of failure ended a run; it decides whether trying again makes sense.
    ErrorClass for DomainClass {
        /// The work itself failed.
        Failed = "failed",
        /// The run or a step took longer than it may.
        TimedOut = "timed_out",
        /// The network or a remote service failed.
        Network = "network",
        /// A remote service said that it was asked too often, or that what may be used is used up.
        RateLimited = "rate_limited",
        /// The machine could not do it.
        System = "system",
        /// What was asked can't be carried out as it stands; it is not tried again.
        Validation = "validation",
        /// Something that the run needed was not allowed; it is not tried again.
        Denied = "denied",
        /// The agent did what its definition does not let it do; it is not tried again.
        Policy = "policy",
        /// What carried the run out broke.
        Crashed = "crashed",
        /// The worker vanished too many times.
        Lost = "lost",
    }
}

/// One attempt to execute a work item.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Run {
    /// Its id.
    id: i64,
    /// What it is to do.
    work_item_id: i64,
    /// Whose it is.
    project_id: i64,
    /// The title of what it is to do.
    title: String,
    /// Where it stands.
    status: RunStatus,
    /// Its ordinal among the item's attempts, from 1.
    attempt: u32,
    /// Who holds it; null when nobody does.
    lease: Option<LeaseView>,
    /// Who holds it or ended it.
    worker_id: Option<String>,
    /// The newest token; null while nobody has claimed it.
    fencing_token: Option<i64>,
    /// How often it was taken over from a holder that vanished.
    takeovers: u32,
    /// The agent, where the executor is one.
    agent: Option<String>,
    /// What carries it out.
    executor: Executor,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was first claimed.
    #[schema(value_type = Option<String>, format = DateTime)]
    started_at: Option<Timestamp>,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Timestamp>,
    /// From its start to its end; null while it is not over, and where nobody claimed it.
    duration_ms: Option<i64>,
    /// The exit status of the step that decided.
    exit_code: Option<i32>,
    /// What it produced, any JSON.
    #[schema(value_type = Option<serde_json::Value>)]
    result: Option<Box<RawValue>>,
    /// What it used.
    usage: Option<Usage>,
    /// Why it failed.
    error: Option<RunErrorView>,
    /// Which walls stood around its commands; null while it is not over, and where none was started.
    sandbox: Option<SandboxView>,
    /// Ties its traces together: 32 hexadecimal digits.
    trace_id: String,
}

/// Why a run failed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RunErrorView {
    /// What kind of failure it was.
    class: ErrorClass,
    /// What happened.
    message: String,
}

impl From<RunError> for RunErrorView {
    fn from(error: RunError) -> Self {
        Self { class: error.class.into(), message: error.message }
    }
}

impl From<RunView> for Run {
    fn from(view: RunView) -> Self {
        let holder = view.lease.as_ref().map(|lease| lease.worker.clone()).or(view.worker);
        let duration_ms = view.started_at.zip(view.ended_at).map(|(start, end)| end.ms() - start.ms());
        Self {
            id: view.id.0,
            work_item_id: view.work_item_id.0,
            project_id: view.project_id.0,
            title: view.title,
            status: view.status.into(),
            attempt: view.attempt,
            lease: view.lease.map(Into::into),
            worker_id: holder.map(Into::into),
            // An attempt that nobody has claimed knows the newest token of the attempt before it.
            fencing_token: view.fence.filter(|_| view.started_at.is_some()).map(|fence| fence.0),
            takeovers: view.takeovers,
            agent: view.agent,
            executor: view.executor.into(),
            created_at: view.created_at,
            started_at: view.started_at,
            ended_at: view.ended_at,
            duration_ms,
            exit_code: view.exit_code,
            result: view.result,
            usage: view.usage.map(Into::into),
            error: view.error.map(Into::into),
            sandbox: view.sandbox.map(|sandbox| SandboxView::from(*sandbox)),
            trace_id: view.trace_id,
        }
    }
}

/// The end of a run, said by its worker or by a person.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RunEndBody {
    /// The token of the lease; left out, a person completes a run that nobody holds.
    #[schema(inline)]
    fencing_token: Option<Ordinal>,
    /// The exit status of the step that decided.
    #[schema(inline)]
    exit_code: Option<ExitCode>,
    /// What the run produced, any JSON.
    #[schema(value_type = serde_json::Value, required = false)]
    result: Option<Box<RawValue>>,
    /// What the run used.
    #[serde(default, deserialize_with = "object")]
    usage: Option<UsageBody>,
    /// Why it failed: a message, or its class and a message.
    error: Option<ErrorBody>,
}

impl Body for RunEndBody {}

impl RunEndBody {
    /// Returns the end of a run.
    pub(crate) fn into_end(self, run_id: RunId, success: bool) -> RunEnd {
        RunEnd {
            run_id,
            fencing_token: self.fencing_token.map(|token| Fence(token.get())),
            success,
            exit_code: self.exit_code.map(ExitCode::signed),
            result: self.result,
            usage: self.usage.map(Into::into),
            error: self.error.map(Into::into),
            // What somebody else carried out stood behind no walls of ours.
            sandbox: None,
        }
    }
}
