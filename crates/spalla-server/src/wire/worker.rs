//! What a worker says of one run: claim, heartbeat, release.

use super::claim::{Assignment, LeaseView};
use super::number::Ordinal;
use super::seconds::Ttl;
use super::text::WorkerName;
use super::{Body, present};
use crate::problem::Problem;
use serde::{Deserialize, Serialize};
use spalla_domain::claim::LEASE_TTL_MS_DEFAULT;
use spalla_domain::{Fence, WorkerId};
use utoipa::ToSchema;

/// Puts the two names of one member together: `worker_id` is the word inside, `agent_id` another one for it.
pub(crate) fn named(
    worker_id: Option<WorkerName>,
    agent_id: Option<WorkerName>,
) -> Result<Option<WorkerId>, Problem> {
    match (worker_id, agent_id) {
        (Some(_), Some(_)) => {
            Err(Problem::invalid("agent_id", "it means the same as worker_id, which is there too")
                .mend("say one"))
        }
        (worker, agent) => Ok(worker.or(agent).map(WorkerName::into_id)),
    }
}

/// Puts the two names together where one is needed.
pub(crate) fn holder(
    worker_id: Option<WorkerName>,
    agent_id: Option<WorkerName>,
) -> Result<WorkerId, Problem> {
    named(worker_id, agent_id)?.ok_or_else(|| {
        Problem::invalid("worker_id", "it is missing").mend("say who you are: worker_id or agent_id")
    })
}

/// Returns a lease's time to live in milliseconds.
pub(crate) fn ttl_ms(ttl: Option<Ttl>) -> i64 {
    ttl.map_or(LEASE_TTL_MS_DEFAULT, Ttl::ms)
}

/// A wish to hold one run.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RunClaim {
    /// Who will hold it; `agent_id` is accepted too.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = WorkerName, inline, required = false)]
    pub(crate) worker_id: Option<WorkerName>,
    /// Another name of `worker_id`.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = WorkerName, inline, required = false)]
    pub(crate) agent_id: Option<WorkerName>,
    /// How long the lease lasts; 300 when left out.
    #[schema(inline)]
    pub(crate) ttl_seconds: Option<Ttl>,
}

impl Body for RunClaim {}

/// A run that is held now.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ClaimedRun {
    /// The run, and all that is needed to carry it out.
    #[serde(flatten)]
    assignment: Assignment,
    /// Who holds it, and until when.
    lease: LeaseView,
}

impl ClaimedRun {
    /// Adds who holds the run.
    pub(crate) fn new(assignment: Assignment, worker: WorkerId) -> Self {
        let lease = LeaseView::new(worker, assignment.expires_at);
        Self { assignment, lease }
    }
}

/// A worker that is still at it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HeartbeatBody {
    /// Who holds the run; `agent_id` is accepted too.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = WorkerName, inline, required = false)]
    pub(crate) worker_id: Option<WorkerName>,
    /// Another name of `worker_id`.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = WorkerName, inline, required = false)]
    pub(crate) agent_id: Option<WorkerName>,
    /// The token of the lease.
    #[schema(inline)]
    fencing_token: Ordinal,
    /// How long the lease lasts from now; 300 when left out.
    #[schema(inline)]
    pub(crate) ttl_seconds: Option<Ttl>,
}

impl HeartbeatBody {
    /// Returns the token.
    pub(crate) const fn fence(&self) -> Fence {
        Fence(self.fencing_token.get())
    }
}

impl Body for HeartbeatBody {}

/// What the worker is to do.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Orders {
    /// End the run: it was cancelled.
    pub(crate) cancel: bool,
    /// Hold the run: a person paused it.
    pub(crate) pause: bool,
}

/// A run given back unfinished.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Release {
    /// Who gives it back; the token is what counts.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = WorkerName, inline, required = false)]
    pub(crate) worker_id: Option<WorkerName>,
    /// Another name of `worker_id`.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = WorkerName, inline, required = false)]
    pub(crate) agent_id: Option<WorkerName>,
    /// The token of the lease.
    #[schema(inline)]
    fencing_token: Ordinal,
}

impl Release {
    /// Returns the token.
    pub(crate) const fn fence(&self) -> Fence {
        Fence(self.fencing_token.get())
    }
}

impl Body for Release {}
