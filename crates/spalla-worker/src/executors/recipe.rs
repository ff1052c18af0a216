//! Carries out a recipe: checks its tools, then runs its steps one after another in the scratchpad.

mod artifacts;
mod cloud;
#[cfg(test)]
mod fuzz;
mod programs;
mod step;
mod tools;

use crate::run::{End, Failure, Run, seconds};
use crate::scratchpad::Scratchpad;
use artifacts::Artifact;
use serde::Serialize;
use spalla_domain::claim::RunError;
use spalla_domain::recipe::infer::{Inferred, Surroundings, infer};
use spalla_domain::recipe::{self, Recipe, Step};
use spalla_domain::retry::ErrorClass;
use std::path::Path;
use step::StepEnd;

/// How much of a file steps are inferred from, in bytes; a manifest is far smaller.
const MANIFEST_BYTES_MAX: u64 = 1024 * 1024;

/// What a run of a recipe produced.
#[derive(Debug, Serialize)]
struct RecipeResult {
    steps: Vec<StepResult>,
    workspace: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<String>,
    artifacts: Vec<Artifact>,
}

/// What became of one step.
#[derive(Debug, Serialize)]
struct StepResult {
    run: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<i32>,
    duration_ms: u64,
    attempts: u32,
    skipped: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Carries the run out.
pub(crate) async fn execute(run: &Run<'_>) -> End {
    match carry_out(run).await {
        Ok(end) | Err(end) => end,
    }
}

async fn carry_out(run: &Run<'_>) -> Result<End, End> {
    // What a recipe says wrong is known before anything is fetched.
    let recipe = recipe_of(run)?;
    let scratchpad = match run.scratchpads.prepare(run).await {
        Ok(scratchpad) => scratchpad,
        Err(crate::scratchpad::Error::Interrupted(interruption)) => return Err(run.end_by(interruption)),
        Err(error) => return Err(Failure::new(error.class(), error.to_string()).into()),
    };
    if scratchpad.commit.is_none() {
        let folder = scratchpad.folder.display();
        run.log
            .say(format!("workspace {folder}: an empty folder, since the project has no repository"))
            .await;
    }
    let recipe = with_steps(run, recipe, &scratchpad.folder).await?;
    if let Some(credentials) = cloud::prepare(run).await? {
        run.bear(credentials);
    }
    tools::check(run, &recipe).await?;
    Ok(run_steps(run, &recipe, &scratchpad).await)
}

/// Reads the recipe in force: the worker's own steps, or what the work item says.
fn recipe_of(run: &Run<'_>) -> Result<Recipe, Failure> {
    if !run.options.steps_override.is_empty() {
        let steps = run.options.steps_override.iter().map(Step::shell).collect();
        return Ok(Recipe { steps, ..Recipe::default() });
    }
    recipe::parse(run.assignment.recipe.as_deref().unwrap_or_default()).map_err(|problems| {
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Failure::new(ErrorClass::Validation, format!("the recipe is not valid: {}", problems.join("; ")))
    })
}

/// Infers the steps where the recipe has none.
async fn with_steps(run: &Run<'_>, mut recipe: Recipe, workspace: &Path) -> Result<Recipe, Failure> {
    for warning in &recipe.warnings {
        run.log.say(format!("recipe, {warning}")).await;
    }
    if !run.options.steps_override.is_empty() {
        run.log.say("the worker's own steps (AGENT_STEPS) are executed, whatever the work item says").await;
    }
    if !recipe.steps.is_empty() {
        return Ok(recipe);
    }
    let inferred = inferred(run, workspace)?;
    run.log.say(format!("steps inferred, since there is no recipe with steps: {}", inferred.why)).await;
    recipe.steps = inferred.steps;
    Ok(recipe)
}

fn inferred(run: &Run<'_>, workspace: &Path) -> Result<Inferred, Failure> {
    let names: Vec<String> = std::fs::read_dir(workspace)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    let from = Surroundings {
        title: &run.assignment.title,
        labels: &run.assignment.labels,
        names: &names,
        text: &|name| manifest_text(workspace, name),
        installed: &|program| programs::find(program, &run.options.child_env).is_some(),
    };
    infer(&from).map_err(|error| Failure::new(ErrorClass::Validation, error.to_string()))
}

fn manifest_text(workspace: &Path, name: &str) -> Option<String> {
    let path = workspace.join(name);
    let found = std::fs::symlink_metadata(&path).ok()?;
    (found.is_file() && found.len() <= MANIFEST_BYTES_MAX).then(|| std::fs::read_to_string(path).ok())?
}

async fn run_steps(run: &Run<'_>, recipe: &Recipe, scratchpad: &Scratchpad) -> End {
    let mut result = RecipeResult {
        steps: Vec::new(),
        workspace: scratchpad.folder.display().to_string(),
        commit: scratchpad.commit.clone(),
        artifacts: Vec::new(),
    };
    // The first failure decides; steps for that case may still run.
    let mut failure: Option<(RunError, Option<i32>)> = None;
    for (number, step) in (1_u32..).zip(&recipe.steps) {
        run.hold().await;
        if let Some(interruption) = run.interruption() {
            return with_result(run.end_by(interruption), &result);
        }
        if !step.condition.holds(failure.is_some()) {
            let condition = step.condition.as_str();
            run.log.say_of(number, format!("step {number} skipped ({condition}): {}", step.run)).await;
            result.steps.push(StepResult::skipped(step));
            continue;
        }
        let end = step::execute(run, recipe, number, &scratchpad.folder).await;
        result.steps.push(end.result(step));
        artifacts::collect(run, number, &step.artifacts, &scratchpad.folder, &mut result.artifacts).await;
        match end {
            StepEnd::Interrupted { interruption, .. } => {
                return with_result(run.end_by(interruption), &result);
            }
            StepEnd::Done { error: Some(error), exit_code, .. } if failure.is_none() => {
                failure = Some((error, exit_code));
            }
            StepEnd::Done { .. } => {}
        }
    }
    if failure.is_none() && result.steps.iter().all(|step| step.skipped) {
        let message = "no step was executed: every step of the recipe waits for a failure".to_owned();
        failure = Some((RunError { class: ErrorClass::Validation, message }, None));
    }
    let result = result.to_json();
    match failure {
        None => End::Succeeded { result },
        Some((error, exit_code)) => End::Failed(Failure { error, exit_code, result: Some(result) }),
    }
}

/// A run whose time is over tells what it got done.
fn with_result(end: End, result: &RecipeResult) -> End {
    match end {
        End::Failed(failure) => End::Failed(Failure { result: Some(result.to_json()), ..failure }),
        other => other,
    }
}

impl RecipeResult {
    fn to_json(&self) -> serde_json::Value {
        serde_json::json!(self)
    }
}

impl StepResult {
    fn skipped(step: &Step) -> Self {
        let run = step.run.clone();
        Self { run, exit_code: None, duration_ms: 0, attempts: 0, skipped: true, error: None }
    }
}

impl StepEnd {
    fn result(&self, step: &Step) -> StepResult {
        let (duration, attempts, exit_code, error) = match self {
            Self::Done { duration, attempts, exit_code, error } => {
                (duration, *attempts, *exit_code, error.as_ref().map(|error| error.message.clone()))
            }
            Self::Interrupted { duration, attempts, .. } => {
                (duration, *attempts, None, Some(format!("interrupted after {}", seconds(*duration))))
            }
        };
        let duration_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        StepResult { run: step.run.clone(), exit_code, duration_ms, attempts, skipped: false, error }
    }
}
