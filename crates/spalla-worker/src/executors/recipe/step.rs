//! Runs one step: in the shell, in its folder, within its time, again when it failed and may be tried again.

use super::ahead::Ahead;
use crate::output::pump;
use crate::run::{Interruption, Run, TRACEPARENT, seconds};
use crate::sandbox::{Child, CommandSpec, Ended, How, SpawnError};
use crate::scratchpad::Scratchpad;
use crate::walls::Needs;
use spalla_domain::claim::RunError;
use spalla_domain::log::Stream;
use spalla_domain::recipe::{Recipe, Step};
use spalla_domain::retry::ErrorClass;
use spalla_domain::trace::Part;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::Instant;

/// The most of a command that is repeated in a message, in characters.
const SHOWN_CHARS: usize = 200;

/// How a step ended.
#[derive(Debug)]
pub(super) enum StepEnd {
    /// It ran to its end, whichever.
    Done {
        duration: Duration,
        attempts: u32,
        exit_code: Option<i32>,
        error: Option<RunError>,
        refused_hosts: Vec<String>,
    },
    /// The run was interrupted meanwhile.
    Interrupted { duration: Duration, attempts: u32, interruption: Interruption },
}

/// One try.
struct Attempt {
    exit_code: Option<i32>,
    error: Option<RunError>,
    refused_hosts: Vec<String>,
}

/// Where a step is carried out, and with what.
#[derive(Debug)]
pub(super) struct Place<'a> {
    /// The run's own folder.
    pub(super) scratchpad: &'a Scratchpad,
    /// The programs of the recipe's tools.
    pub(super) tools: &'a [PathBuf],
}

/// Runs the step with this number, behind walls that were put up ahead where they fit.
pub(super) async fn execute(
    run: &Run<'_>,
    recipe: &Recipe,
    number: u32,
    place: &Place<'_>,
    ahead: &mut Ahead,
) -> StepEnd {
    let step = &recipe.steps[number as usize - 1];
    let started = Instant::now();
    let mut attempts = 0;
    loop {
        attempts += 1;
        run.log.say_of(number, format!("step {number}: {}", step.run.trim_end())).await;
        let attempt = match attempt(run, recipe, (number, step), place, ahead).await {
            Ok(attempt) => attempt,
            Err(interruption) => {
                return StepEnd::Interrupted { duration: started.elapsed(), attempts, interruption };
            }
        };
        if attempt.error.is_none() || attempts > step.retries {
            let Attempt { exit_code, error, refused_hosts } = attempt;
            return StepEnd::Done { duration: started.elapsed(), attempts, exit_code, error, refused_hosts };
        }
        run.log
            .say_of(number, format!("step {number} is tried again ({attempts} of {})", step.retries))
            .await;
    }
}

async fn attempt(
    run: &Run<'_>,
    recipe: &Recipe,
    (number, step): (u32, &Step),
    place: &Place<'_>,
    ahead: &mut Ahead,
) -> Result<Attempt, Interruption> {
    let started = Instant::now();
    let (child, spec) = match start(run, recipe, (number, step), place, ahead).await {
        Ok(begun) => begun,
        Err(error) => {
            run.log.say_of(number, format!("step {number} did not start: {}", error.message)).await;
            return Ok(Attempt { exit_code: None, error: Some(error), refused_hosts: Vec::new() });
        }
    };
    let Child { stdout, stderr, life } = child;
    let stop = async { drop(run.interrupted().await) };
    let (ended, (), (), ()) = tokio::join!(
        life.ended(stop),
        pump(stdout, Stream::Stdout, number, run.log),
        pump(stderr, Stream::Stderr, number, run.log),
        ahead.put_up(run, &spec),
    );
    let took = seconds(started.elapsed());
    run.attest(&ended);
    for host in &ended.refused_hosts {
        run.log.say_of(number, format!("step {number} was refused a host: {host}")).await;
    }
    if let (true, Some(interruption)) = (ended.stopped, run.interruption()) {
        run.log.say_of(number, format!("step {number} was ended after {took}: {}", why(&interruption))).await;
        return Err(interruption);
    }
    run.log.say_of(number, format!("step {number}: {}", summary(&ended, &took))).await;
    let exit_code = ended.how.code();
    Ok(Attempt { exit_code, error: error_of(step, number, &ended), refused_hosts: ended.refused_hosts })
}

async fn start(
    run: &Run<'_>,
    recipe: &Recipe,
    (number, step): (u32, &Step),
    place: &Place<'_>,
    ahead: &mut Ahead,
) -> Result<(Child, CommandSpec), RunError> {
    let failed = |class, message: String| RunError::new(class, message);
    let workspace = &place.scratchpad.folder;
    let cwd = folder_of(step, workspace).map_err(|message| failed(ErrorClass::Failed, message))?;
    let needs = Needs {
        network: recipe.network_of(step),
        tools: place.tools.to_vec(),
        read: place.scratchpad.borrowed.clone(),
    };
    let walls = run.walls(workspace, needs);
    let mut env = run.env(&walls);
    env.insert("PWD".into(), cwd.to_string_lossy().into_owned());
    env.insert(TRACEPARENT.into(), run.trace_parent(Part::Step(number)));
    env.extend(recipe.env_of(step));
    let spec = CommandSpec {
        label: run.label(),
        program: run.options.shell.clone(),
        args: vec!["-c".into(), step.run.clone()],
        cwd,
        env,
        stdin: Vec::new(),
        timeout_ms: step.timeout_ms,
        grace_ms: run.options.limits.grace_ms,
        walls: walls.clone(),
    };
    let spawned = run.sandbox.spawn_behind(ahead.take(), spec.clone()).await;
    spawned.map(|child| (child, spec)).map_err(|error| {
        let class = match &error {
            SpawnError::Refused { layer, reason, .. } => {
                run.attest_refusal(&walls, *layer, reason);
                ErrorClass::Validation
            }
            SpawnError::Impossible { .. } | SpawnError::Command { missing: true, .. } => {
                ErrorClass::Validation
            }
            _ => ErrorClass::System,
        };
        failed(class, error.to_string())
    })
}

/// Returns the folder to run in: beneath the workspace, also by where its links lead.
fn folder_of(step: &Step, workspace: &Path) -> Result<PathBuf, String> {
    let Some(cwd) = &step.cwd else { return Ok(workspace.to_owned()) };
    let resolve = |path: &Path| path.canonicalize().map_err(|error| format!("cwd {cwd:?}: {error}"));
    let (top, folder) = (resolve(workspace)?, resolve(&workspace.join(cwd))?);
    if !folder.starts_with(&top) {
        return Err(format!("cwd {cwd:?} leads out of the workspace, to {}", folder.display()));
    }
    if !folder.is_dir() {
        return Err(format!("cwd {cwd:?} is no folder"));
    }
    Ok(folder)
}

fn summary(ended: &Ended, took: &str) -> String {
    let mut text = format!("{} after {took}", ended.how);
    if ended.timed_out {
        text.push_str(", ended because its time was over");
    }
    if let Some(limit) = &ended.exceeded {
        text.push_str(&format!(", ended because it reached its limit of {limit}"));
    }
    match ended.leftovers {
        0 => {}
        1 => text.push_str("; a process that it left behind was ended"),
        n => text.push_str(&format!("; {n} processes that it left behind were ended")),
    }
    match ended.survivors {
        0 => {}
        1 => text.push_str("; a process could not be ended"),
        n => text.push_str(&format!("; {n} processes could not be ended")),
    }
    text
}

fn error_of(step: &Step, number: u32, ended: &Ended) -> Option<RunError> {
    let command: String = step.run.trim().chars().take(SHOWN_CHARS).collect();
    let of_class =
        |class, what: String| Some(RunError::new(class, format!("step {number} ({command}) {what}")));
    let limit = Duration::from_millis(step.timeout_ms.unwrap_or_default().max(0).unsigned_abs());
    if let Some(limit) = &ended.exceeded {
        return of_class(ErrorClass::Failed, format!("reached its limit of {limit}"));
    }
    match &ended.how {
        _ if ended.timed_out => {
            of_class(ErrorClass::TimedOut, format!("took longer than its {}", seconds(limit)))
        }
        How::Exited(0) => None,
        How::Exited(code) => of_class(ErrorClass::Failed, format!("failed with exit status {code}")),
        How::Signalled(_) => of_class(ErrorClass::Failed, format!("was {}", ended.how)),
        How::Unsupervised => of_class(ErrorClass::System, "lost its supervisor, and was ended".into()),
    }
}

fn why(interruption: &Interruption) -> &'static str {
    use crate::control::Stop;
    match interruption {
        Interruption::TimedOut => "the run's time is over",
        Interruption::Stopped(Stop::Cancelled) => "the run was cancelled",
        Interruption::Stopped(Stop::Drained) => "the worker is going, and hands the run back",
        Interruption::Stopped(Stop::Broken(_)) => "the run's log can't be kept",
        Interruption::Stopped(Stop::LeaseLost(_)) => "the lease is lost",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_folder_that_a_link_leads_out_of_the_workspace_is_refused() {
        let (workspace, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let top = workspace.path();
        std::fs::create_dir(top.join("inside")).unwrap();
        std::fs::write(top.join("file"), "").unwrap();
        symlink(outside.path(), top.join("out")).unwrap();
        symlink("inside", top.join("in")).unwrap();
        let folder = |cwd: &str| folder_of(&Step { cwd: Some(cwd.into()), ..Step::shell("x") }, top);
        assert_eq!(folder("./in").unwrap(), top.join("inside").canonicalize().unwrap());
        assert!(folder("out").unwrap_err().contains("leads out of the workspace"));
        assert!(folder("none").unwrap_err().contains("No such file"));
        assert!(folder("file").unwrap_err().contains("is no folder"));
        assert_eq!(folder_of(&Step::shell("x"), top).unwrap(), top);
    }
}
