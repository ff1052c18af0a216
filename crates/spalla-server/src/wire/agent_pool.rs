//! Kept processes of agents on the wire.

use serde::Serialize;
use spalla_domain::agent_pool::PoolState;
use utoipa::ToSchema;

/// The processes of one agent that are kept for the runs of one project.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AgentPool {
    /// The agent.
    agent: String,
    /// The project.
    project_id: i64,
    /// Whether they can't write what they work on: reviewers.
    read_only: bool,
    /// How many wait for a run.
    idle: u64,
    /// How many serve one.
    busy: u64,
    /// How many were started.
    started: u64,
    /// How many turns they took.
    tasks: u64,
    /// The share of these that a process took which had taken another one before.
    reuse_rate: f64,
    /// How many were ended: old, not needed, or not trusted any more.
    retired: u64,
    /// How many of these because something went wrong.
    faults: u64,
    /// Whether the last ones that were ended did not all go wrong.
    healthy: bool,
    /// How long ago the oldest of those that wait was started, in milliseconds; null where none waits.
    age_ms: Option<u64>,
}

impl From<PoolState> for AgentPool {
    #[expect(clippy::cast_precision_loss, reason = "a share is shown, and nobody counts with it")]
    fn from(state: PoolState) -> Self {
        let reuse_rate = if state.tasks == 0 { 0.0 } else { state.reused as f64 / state.tasks as f64 };
        Self {
            agent: state.agent,
            project_id: state.project_id.0,
            read_only: state.is_read_only,
            idle: state.idle,
            busy: state.busy,
            started: state.started,
            tasks: state.tasks,
            reuse_rate,
            retired: state.retired,
            faults: state.faults,
            healthy: state.faults == 0 || state.idle > 0,
            age_ms: state.oldest_ms,
        }
    }
}
