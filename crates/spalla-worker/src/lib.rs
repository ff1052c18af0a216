//! The worker: claims runs, carries each out in a scratchpad of its own, and reports what came of it.
//!
//! ```text
//! worker ── coordinator: the claim protocol, in process or over HTTP
//!   └─ execute: one run ──┬─ scratchpad: a worktree that is the run's own
//!                         ├─ executors: recipe steps, built-in agents
//!                         │     └─ sandbox: every child process, supervised
//!                         └─ run_log: output ─▶ batches ─▶ spool ─▶ coordinator
//! ```
//! Nothing here decides what runs next; that is the coordinator's. Nothing that a run does outlives it.

mod artifact;
mod backoff;
mod beneath;
pub mod builtin;
mod control;
pub mod coordinator;
mod credentials;
#[cfg(test)]
#[path = "../../../fuzz/damage.rs"]
mod damage;
mod execute;
mod executors;
mod journals;
mod left_behind;
mod limits;
mod look;
mod masks;
mod output;
mod pace;
mod programs;
mod questions;
mod refusals;
mod run;
mod run_log;
pub mod sandbox;
mod scratchpad;
mod spool;
mod telling;
mod walls;
pub mod worker;

pub use artifact::ArtifactFile;
pub use control::{Control, Stop};
pub use coordinator::{Coordinator, CoordinatorError, Grant, HttpCoordinator};
pub use executors::Execute;
pub use executors::agent::{PoolBoard, PoolOptions, agents_at_limits};
pub use left_behind::runs_left_behind;
pub use look::{LOOK_ARG, look_for_files, look_main};
pub use questions::Answer;
pub use refusals::Refusals;
pub use run::{End, Failure, Finished};
pub use run_log::RunLog;
pub use sandbox::{Supervisor, child_env};
pub use walls::SandboxOptions;
pub use worker::{Clock, Error, Handle, Limits, Options, Randomness, Status, Worker, is_context_low};
