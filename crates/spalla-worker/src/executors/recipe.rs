//! Carries out a recipe: checks its tools, then runs its steps one after another in the scratchpad.

mod ahead;
mod artifacts;
mod cloud;
mod commands;
mod dependencies;
#[cfg(test)]
mod fuzz;
mod go_on;
mod record;
mod state;
mod step;
mod tools;

use crate::programs;
use crate::run::{End, Failure, Run, seconds};
use crate::scratchpad::Scratchpad;
use ahead::Ahead;
use artifacts::Artifact;
use record::Record;
use serde::{Deserialize, Serialize};
use spalla_domain::Timestamp;
use spalla_domain::claim::RunError;
use spalla_domain::recipe::infer::{Inferred, NotInferred, Surroundings, infer};
use spalla_domain::recipe::{self, Condition, Recipe, Step};
use spalla_domain::retry::ErrorClass;
use state::Progress;
pub(crate) use state::State;
use step::{Place, StepEnd, Taken};

pub(crate) use commands::{check_definition, of_agent as command_of_agent, words_of as words_of_command};
pub(crate) use dependencies::check as dependencies;

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
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct StepResult {
    pub(crate) run: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    started_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) exit_code: Option<i32>,
    pub(crate) duration_ms: u64,
    attempts: u32,
    pub(crate) skipped: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    /// The hosts that it asked for and did not get, with the reasons.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    refused_hosts: Vec<String>,
}

/// Carries the run out.
pub(crate) async fn execute(run: &Run<'_>) -> End {
    match carry_out(run).await {
        Ok(end) | Err(end) => end,
    }
}

/// Carries a run on that an earlier worker left.
pub(crate) async fn go_on(run: &Run<'_>, state: State) -> End {
    go_on::go_on(run, state).await
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
            .remark(format!("workspace {folder}: an empty folder, since the project has no repository"))
            .await;
    }
    let recipe = with_steps(run, recipe, &scratchpad).await?;
    let wanted = cloud::wanted(run);
    let secrets: Vec<&str> = wanted.iter().map(|field| field.name.as_str()).collect();
    commands::check(run, &recipe, &scratchpad.folder, &secrets).await?;
    if let Some(credentials) = cloud::prepare(run).await? {
        run.bear(credentials);
    }
    let tools = tools::check(run, &recipe, &scratchpad).await?;
    let place = Place { scratchpad: &scratchpad, tools: &tools };
    let mut record = Record { run, recipe: &recipe, place: &place, progress: Progress::default() };
    Ok(run_steps(&mut record, 1, None).await)
}

/// What a check of a workspace came to.
#[derive(Debug)]
pub(crate) enum Verified {
    /// Everything that is known of building and testing it went well.
    Green(serde_json::Value),
    /// Something did not.
    Red(RunError, serde_json::Value),
    /// Nothing is known of how to check it, or that can't be done here.
    Unverified(String),
}

/// Builds and tests a workspace as its files say.
pub(crate) async fn verify(run: &Run<'_>, scratchpad: &Scratchpad) -> Result<Verified, End> {
    let inferred = match inferred(run, scratchpad, "", &[]).await {
        Ok(Ok(inferred)) => inferred,
        Ok(Err(why)) => return Ok(Verified::Unverified(why.to_string())),
        Err(failure) => return Ok(Verified::Unverified(failure.error.message)),
    };
    run.log.remark(format!("verified by what is inferred: {}", inferred.why)).await;
    carried_out(run, scratchpad, inferred.steps).await
}

/// What came of looking at a workspace step by step.
#[derive(Debug, Default)]
pub(crate) struct Examined {
    /// The result of each step that was known, in their order.
    pub(crate) steps: Vec<StepResult>,
    /// What was wanted, and nothing says how.
    pub(crate) unknown: Vec<&'static str>,
    /// Why nothing is known at all, where that is so.
    pub(crate) nothing: Option<String>,
}

/// Does in a workspace what the verbs say, as its files say how, each step whatever became of those that it does not need.
pub(crate) async fn examine(
    run: &Run<'_>,
    scratchpad: &Scratchpad,
    verbs: &[&'static str],
) -> Result<Examined, End> {
    let mut examined = Examined::default();
    let mut steps: Vec<Step> = Vec::new();
    for verb in verbs {
        let nothing = match inferred(run, scratchpad, verb, &[]).await {
            Ok(Ok(inferred)) => {
                run.log.remark(format!("verified by what is inferred: {}", inferred.why)).await;
                let new = inferred.steps.into_iter().map(|step| in_examination(verb, step));
                for step in new {
                    if !steps.iter().any(|known| known.run == step.run) {
                        steps.push(step);
                    }
                }
                continue;
            }
            Ok(Err(why)) => format!(
                "the project's top folder does not say how to {} it ({}); a Makefile with such targets says it for any project",
                verbs.join(", "),
                why.found()
            ),
            Err(failure) => failure.error.message,
        };
        examined.unknown.push(verb);
        examined.nothing.get_or_insert(nothing);
    }
    if steps.is_empty() {
        return Ok(examined);
    }
    examined.nothing = None;
    // What packs a package is no part of what its tests need.
    steps.sort_by_key(|step| is_packing(&step.run));
    let recipe = Recipe { steps, ..Recipe::default() };
    let place = Place { scratchpad, tools: &[] };
    let mut record = Record { run, recipe: &recipe, place: &place, progress: Progress::default() };
    match run_steps(&mut record, 1, None).await {
        End::Succeeded { .. } | End::Failed(_) if run.interruption().is_none() => {}
        end => return Err(end),
    }
    examined.steps = record.progress.steps;
    Ok(examined)
}

/// Tests are not tried on what did not build; a linter reads what is there.
fn in_examination(verb: &str, step: Step) -> Step {
    // Go only names the tests that pass where it is asked to.
    let run = if step.run == "go test ./..." { "go test -v ./...".into() } else { step.run };
    let is_free = verb == "lint" || is_packing(&run);
    // Where there is no network, package managers are to say so soon and not to ask each of their packages again.
    let env = IMPATIENT.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    Step { run, env, condition: if is_free { Condition::Always } else { Condition::Success }, ..step }
}

/// How package managers are told to ask once more and no oftener.
const IMPATIENT: [(&str, &str); 6] = [
    ("npm_config_fetch_retries", "1"),
    ("npm_config_fetch_retry_mintimeout", "500"),
    ("npm_config_fetch_retry_maxtimeout", "1000"),
    ("CARGO_NET_RETRY", "1"),
    ("PIP_RETRIES", "1"),
    ("UV_HTTP_RETRIES", "1"),
];

fn is_packing(command: &str) -> bool {
    ["python3 -m build", "uv build", "poetry build"].contains(&command)
}

/// Runs one command in a workspace, and says whether it succeeds.
pub(crate) async fn check(run: &Run<'_>, scratchpad: &Scratchpad, command: &str) -> Result<Verified, End> {
    carried_out(run, scratchpad, vec![Step::shell(command)]).await
}

async fn carried_out(run: &Run<'_>, scratchpad: &Scratchpad, steps: Vec<Step>) -> Result<Verified, End> {
    let recipe = Recipe { steps, ..Recipe::default() };
    let place = Place { scratchpad, tools: &[] };
    let mut record = Record { run, recipe: &recipe, place: &place, progress: Progress::default() };
    Ok(match run_steps(&mut record, 1, None).await {
        End::Succeeded { result } => Verified::Green(result),
        End::Failed(Failure { error, exit_code, result }) => match exit_code {
            // A shell's own words for a program that is not there, or can't be started.
            Some(126 | 127) => Verified::Unverified(error.message),
            _ if error.class == ErrorClass::TimedOut && run.interruption().is_some() => {
                return Err(End::Failed(Failure { error, exit_code, result }));
            }
            _ => Verified::Red(error, result.unwrap_or_default()),
        },
        end => return Err(end),
    })
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
async fn with_steps(run: &Run<'_>, mut recipe: Recipe, scratchpad: &Scratchpad) -> Result<Recipe, Failure> {
    for warning in &recipe.warnings {
        run.log.say(format!("recipe, {warning}")).await;
    }
    if !run.options.steps_override.is_empty() {
        run.log.say("the worker's own steps (AGENT_STEPS) are executed, whatever the work item says").await;
    }
    if !recipe.steps.is_empty() {
        return Ok(recipe);
    }
    let inferred = inferred(run, scratchpad, &run.assignment.title, &run.assignment.labels).await?;
    let inferred = inferred.map_err(|why| Failure::new(ErrorClass::Validation, why.to_string()))?;
    run.log.remark(format!("steps inferred, since there is no recipe with steps: {}", inferred.why)).await;
    recipe.steps = inferred.steps;
    Ok(recipe)
}

async fn inferred(
    run: &Run<'_>,
    scratchpad: &Scratchpad,
    title: &str,
    labels: &[String],
) -> Result<Result<Inferred, NotInferred>, Failure> {
    let seen = run.look_for_manifests(scratchpad).await;
    let seen = seen.map_err(|why| Failure::new(ErrorClass::Validation, why))?;
    let from = Surroundings {
        title,
        labels,
        names: &seen.names,
        text: &|name| seen.texts.get(name).cloned(),
        installed: &|program| programs::find(program, &run.options.child_env).is_some(),
    };
    Ok(infer(&from))
}

/// Runs the steps from one on, which may be under way already.
async fn run_steps(record: &mut Record<'_>, first: u32, taken: Option<Taken>) -> End {
    let mut ahead = Ahead::default();
    let end = run_each(record, (first, taken), &mut ahead).await;
    ahead.take_down().await;
    end
}

async fn run_each(
    record: &mut Record<'_>,
    (first, mut taken): (u32, Option<Taken>),
    ahead: &mut Ahead,
) -> End {
    let (run, recipe) = (record.run, record.recipe);
    for (number, step) in (1_u32..).zip(&recipe.steps).skip(first.saturating_sub(1) as usize) {
        let taken = taken.take();
        if taken.is_none() {
            run.hold().await;
            if let Some(interruption) = run.interruption() {
                return with_result(run.end_by(interruption), record);
            }
        }
        // The first failure decides; steps for that case may still run.
        let is_failed = record.progress.failure.is_some();
        if taken.is_none() && !step.condition.holds(is_failed) {
            let condition = step.condition.as_str();
            run.log.remark_of(number, format!("step {number} skipped ({condition}): {}", step.run)).await;
            record.progress.steps.push(StepResult::skipped(step));
            continue;
        }
        let began_at = taken.as_ref().map(|taken| taken.attempt.step_began_at);
        let began_at = began_at.unwrap_or_else(|| (run.options.clock)());
        ahead.look(recipe, number, step, is_failed);
        let end = step::execute(record, (number, began_at), ahead, taken).await;
        record.progress.steps.push(end.result(step, began_at));
        let (scratchpad, all) = (record.place.scratchpad, &mut record.progress.artifacts);
        artifacts::collect(run, number, &step.artifacts, scratchpad, all).await;
        match end {
            StepEnd::Interrupted { interruption, .. } => {
                return with_result(run.end_by(interruption), record);
            }
            StepEnd::Done { error: Some(error), exit_code, .. } if !is_failed => {
                record.progress.failure = Some((error, exit_code));
            }
            StepEnd::Done { .. } => {}
        }
        record.is_before(number + 1).await;
    }
    end_of_all(record)
}

fn end_of_all(record: &Record<'_>) -> End {
    let mut failure = record.progress.failure.clone();
    if failure.is_none() && record.progress.steps.iter().all(|step| step.skipped) {
        let message = "no step was executed: every step of the recipe waits for a failure".to_owned();
        failure = Some((RunError::new(ErrorClass::Validation, message), None));
    }
    let result = RecipeResult::of(record).to_json();
    match failure {
        None => End::Succeeded { result },
        Some((error, exit_code)) => End::Failed(Failure { error, exit_code, result: Some(result) }),
    }
}

/// A run whose time is over tells what it got done.
fn with_result(end: End, record: &Record<'_>) -> End {
    match end {
        End::Failed(failure) => {
            End::Failed(Failure { result: Some(RecipeResult::of(record).to_json()), ..failure })
        }
        other => other,
    }
}

impl RecipeResult {
    fn of(record: &Record<'_>) -> Self {
        let Progress { steps, artifacts, .. } = record.progress.clone();
        let scratchpad = record.place.scratchpad;
        let workspace = scratchpad.folder.display().to_string();
        Self { steps, workspace, commit: scratchpad.commit.clone(), artifacts }
    }

    fn to_json(&self) -> serde_json::Value {
        serde_json::json!(self)
    }
}

impl StepResult {
    fn skipped(step: &Step) -> Self {
        let run = step.run.clone();
        Self {
            run,
            started_at: None,
            exit_code: None,
            duration_ms: 0,
            attempts: 0,
            skipped: true,
            error: None,
            refused_hosts: Vec::new(),
        }
    }
}

impl StepEnd {
    fn result(&self, step: &Step, started_at: Timestamp) -> StepResult {
        let (duration, attempts, exit_code, error, refused_hosts) = match self {
            Self::Done { duration, attempts, exit_code, error, refused_hosts } => {
                let error = error.as_ref().map(|error| error.message.clone());
                (duration, *attempts, *exit_code, error, refused_hosts.clone())
            }
            Self::Interrupted { duration, attempts, .. } => {
                let error = format!("interrupted after {}", seconds(*duration));
                (duration, *attempts, None, Some(error), Vec::new())
            }
        };
        let duration_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let (run, started_at) = (step.run.clone(), Some(started_at));
        StepResult { run, started_at, exit_code, duration_ms, attempts, skipped: false, error, refused_hosts }
    }
}
