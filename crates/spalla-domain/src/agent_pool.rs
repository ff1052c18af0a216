//! Processes of agents that are kept for further runs, as far as somebody wants to know of them.

use crate::ProjectId;

/// What is known of the processes of one kind: of one agent, for one project, behind walls of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolState {
    /// The agent.
    pub agent: String,
    /// The project whose runs they serve.
    pub project_id: ProjectId,
    /// Whether what they work on can't be written by them.
    pub is_read_only: bool,
    /// How many wait for a run.
    pub idle: u64,
    /// How many serve one.
    pub busy: u64,
    /// How many were started.
    pub started: u64,
    /// How many turns they took.
    pub tasks: u64,
    /// How many of these a process took that had taken another one before.
    pub reused: u64,
    /// How many were ended: they were old, not needed, or not trusted any more.
    pub retired: u64,
    /// How many of these were ended because something went wrong with them.
    pub faults: u64,
    /// How long ago the oldest of those that wait was started, in milliseconds.
    pub oldest_ms: Option<u64>,
}
