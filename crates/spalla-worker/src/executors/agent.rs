//! Carries out a run by an agent: one that is built in, or somebody's command line.

mod change;
mod cli;
mod integrate;
mod keeper;
mod memory;
mod surveyor;
mod verify;

pub use cli::pool::{PoolBoard, PoolOptions};
pub(crate) use cli::sweep;
pub(crate) use memory::Memory;
pub use memory::agents_at_limits;

use crate::run::{End, Failure, Run};
use crate::scratchpad::Error as ScratchpadError;
use spalla_domain::retry::ErrorClass;
use spalla_domain::session::INTEGRATOR;

/// The agent that surveys a folder.
const SURVEYOR: &str = "surveyor";
/// The agent that builds, lints and tests a project.
const VERIFIER: &str = "verifier";

/// Carries the run out.
pub(crate) async fn execute(run: &Run<'_>) -> End {
    let agent = run.assignment.agent.as_deref().unwrap_or_default();
    let done = match agent {
        SURVEYOR => surveyor::survey_project(run).await,
        VERIFIER => verify::execute(run).await,
        INTEGRATOR => integrate::execute(run).await,
        _ => match run.options.adapters.iter().any(|adapter| adapter.name == agent) {
            true => cli::execute(run).await,
            false => Err(unknown(run, agent).into()),
        },
    };
    match done {
        Ok(end) | Err(end) => end,
    }
}

fn unknown(run: &Run<'_>, agent: &str) -> Failure {
    let own = run.options.adapters.iter().map(|adapter| adapter.name.as_str());
    let known: Vec<&str> = [SURVEYOR, VERIFIER, INTEGRATOR].into_iter().chain(own).collect();
    let message = format!("there is no agent {agent:?} on this worker; it has {}", known.join(", "));
    Failure::new(ErrorClass::Validation, message)
}

fn end_of(run: &Run<'_>, error: ScratchpadError) -> End {
    match error {
        ScratchpadError::Interrupted(interruption) => run.end_by(interruption),
        other => Failure::new(other.class(), other.to_string()).into(),
    }
}
