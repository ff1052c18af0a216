//! What is written down of a run before each of its steps, so that another worker can carry it on from there.

use super::StepResult;
use super::artifacts::Artifact;
use serde::{Deserialize, Serialize};
use spalla_domain::claim::{Assignment, RunError};
use spalla_domain::recipe::Recipe;
use spalla_domain::sandbox::Attested;
use spalla_domain::{InfoRequestId, Timestamp};
use spalla_sandbox::Survival;
use std::path::PathBuf;

/// A run at one moment. There are no secret values in it: what a person answered is asked for again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct State {
    /// What was handed out, with the number at which the log goes on.
    pub(crate) assignment: Assignment,
    /// When this was written.
    pub(crate) written_at: Timestamp,
    /// How much of its time the run had used then, in milliseconds.
    pub(crate) used_ms: u64,
    /// How long it had waited for people, in milliseconds.
    pub(crate) held_ms: u64,
    /// How much of its output counted as kept, and whether the notice of the cut was written.
    pub(crate) kept: (u64, bool),
    /// Which walls had stood.
    pub(crate) attested: Option<Attested>,
    /// What it had asked of a person.
    pub(crate) asked: Option<InfoRequestId>,
    /// Where it works.
    pub(super) place: PlaceState,
    /// The recipe in force.
    pub(super) recipe: Recipe,
    /// What its steps had done.
    pub(super) progress: Progress,
    /// The step that is next, or under way.
    pub(super) step: u32,
    /// The attempt that is under way; none between steps.
    pub(super) attempt: Option<AttemptState>,
}

/// Where a run works, and with what.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct PlaceState {
    pub(super) folder: PathBuf,
    pub(super) commit: Option<String>,
    pub(super) borrowed: Vec<PathBuf>,
    pub(super) tools: Vec<PathBuf>,
}

/// What the steps of a run have done.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Progress {
    /// The results, in the order of the steps.
    pub(super) steps: Vec<StepResult>,
    /// The files that they left.
    pub(super) artifacts: Vec<Artifact>,
    /// The first failure, which decides.
    pub(super) failure: Option<(RunError, Option<i32>)>,
}

/// One attempt of a step.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct AttemptState {
    /// Which one, from 1.
    pub(super) number: u32,
    /// When the step's first one began.
    pub(super) step_began_at: Timestamp,
    /// When this one began.
    pub(super) began_at: Timestamp,
    /// How it is taken up.
    pub(super) survival: Survival,
    /// Whether it runs behind walls.
    pub(super) is_walled: bool,
}
