//! Runs one step: in the shell, in its folder, within its time, again when it failed and may be tried again.

use super::ahead::Ahead;
use super::record::Record;
use super::state::AttemptState;
use crate::output::{follow, pump};
use crate::run::{Interruption, Run, TRACEPARENT, seconds};
use crate::run_log::RunLog;
use crate::sandbox::{Child, CommandSpec, Ended, How, Life, PipeReader};
use crate::scratchpad::Scratchpad;
use crate::walls::Needs;
use spalla_domain::Timestamp;
use spalla_domain::claim::RunError;
use spalla_domain::log::Stream;
use spalla_domain::recipe::Step;
use spalla_domain::retry::ErrorClass;
use spalla_domain::trace::Part;
use spalla_sandbox::Survival;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

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

/// A step that an earlier worker began, and told of.
pub(super) struct Taken {
    /// Its command; none where that never came to be.
    pub(super) life: Option<Box<Life>>,
    /// What was written down of it.
    pub(super) attempt: AttemptState,
}

/// A command that runs.
struct Begun {
    life: Life,
    output: Output,
    started: Instant,
    /// How it was started, where that was here.
    spec: Option<CommandSpec>,
}

/// Where a command's output is read.
enum Output {
    Pipes(PipeReader, PipeReader),
    File(PathBuf),
}

/// Runs the step with this number, behind walls that were put up ahead where they fit; or goes on with it.
pub(super) async fn execute(
    record: &Record<'_>,
    (number, began_at): (u32, Timestamp),
    ahead: &mut Ahead,
    mut taken: Option<Taken>,
) -> StepEnd {
    let run = record.run;
    let step = &record.recipe.steps[number as usize - 1];
    let started = run.since(began_at);
    let mut attempts = taken.as_ref().map_or(0, |taken| taken.attempt.number.saturating_sub(1));
    loop {
        attempts += 1;
        let begun = match taken.take() {
            Some(Taken { life: Some(life), attempt }) => Ok(Begun::again(run, *life, &attempt)),
            Some(Taken { life: None, .. }) => {
                begin(record, (number, step), (attempts, began_at), ahead).await
            }
            None => {
                run.log.say_of(number, format!("step {number}: {}", step.run.trim_end())).await;
                begin(record, (number, step), (attempts, began_at), ahead).await
            }
        };
        let attempt = match begun {
            Ok(begun) => see_through(record, (number, step), begun, ahead).await,
            Err(unbegun) => unbegun,
        };
        let attempt = match attempt {
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

impl Begun {
    fn again(run: &Run<'_>, life: Life, attempt: &AttemptState) -> Self {
        let output = Output::File(attempt.survival.output());
        Self { life, output, started: run.since(attempt.began_at), spec: None }
    }
}

/// Begins an attempt. Where none begins, it is over already.
async fn begin(
    record: &Record<'_>,
    (number, step): (u32, &Step),
    attempt: (u32, Timestamp),
    ahead: &mut Ahead,
) -> Result<Begun, Result<Attempt, Interruption>> {
    let run = record.run;
    let survival = record.begins(number, attempt).await;
    if let Some(interruption) = run.interruption() {
        return Err(Err(interruption));
    }
    match start(record, (number, step), survival, ahead).await {
        Ok(begun) => Ok(begun),
        Err(error) => {
            run.log.say_of(number, format!("step {number} did not start: {}", error.message)).await;
            Err(Ok(Attempt { exit_code: None, error: Some(error), refused_hosts: Vec::new() }))
        }
    }
}

/// Waits for the end of a command, with its output on its way into the log.
async fn see_through(
    record: &Record<'_>,
    (number, step): (u32, &Step),
    begun: Begun,
    ahead: &mut Ahead,
) -> Result<Attempt, Interruption> {
    let run = record.run;
    let Begun { life, output, started, spec } = begun;
    let over = life.over();
    let stop = async { drop(run.interrupted().await) };
    let put_up = async {
        if let Some(spec) = &spec {
            ahead.put_up(run, spec).await;
        }
    };
    let (ended, (), ()) = tokio::join!(life.ended(stop), read(output, over, number, run.log), put_up);
    if ended.dropped > 0 {
        run.log.cut(number).await;
    }
    let took = seconds(started.elapsed());
    run.attest(&ended);
    for host in &ended.refused_hosts {
        run.log.say_of(number, format!("step {number} was refused a host: {host}")).await;
    }
    if ended.lost {
        let message = format!("step {number} was ended, since no worker took it up in time");
        return Err(run.interruption().unwrap_or(Interruption::Lost(message)));
    }
    if let (true, Some(interruption)) = (ended.stopped, run.interruption()) {
        run.log.say_of(number, format!("step {number} was ended after {took}: {}", why(&interruption))).await;
        return Err(interruption);
    }
    run.log.say_of(number, format!("step {number}: {}", summary(&ended, &took))).await;
    let exit_code = ended.how.code();
    Ok(Attempt { exit_code, error: error_of(step, number, &ended), refused_hosts: ended.refused_hosts })
}

async fn read(output: Output, over: CancellationToken, number: u32, log: &RunLog) {
    match output {
        Output::Pipes(stdout, stderr) => {
            let (out, err) = (Stream::Stdout, Stream::Stderr);
            tokio::join!(pump(stdout, out, number, log), pump(stderr, err, number, log));
        }
        Output::File(path) => {
            if let Err(error) = follow(&path, over, number, log).await {
                log.say_of(number, format!("step {number}: its output can't be read any more: {error}"))
                    .await;
            }
        }
    }
}

async fn start(
    record: &Record<'_>,
    (number, step): (u32, &Step),
    survival: Option<Survival>,
    ahead: &mut Ahead,
) -> Result<Begun, RunError> {
    let run = record.run;
    let started = Instant::now();
    let spec = spec_of(record, (number, step))?;
    let walls = spec.walls.clone();
    let spawned = match survival {
        None => run.sandbox.spawn_behind(ahead.take(), spec.clone()).await.map(|child| {
            let Child { stdout, stderr, life } = child;
            (life, Output::Pipes(stdout, stderr))
        }),
        Some(survival) => {
            let journal = run.journal();
            let spawned = run.sandbox.spawn_surviving(ahead.take(), spec.clone(), (&survival, &journal));
            let life = spawned.await;
            life.map(|life| (life, Output::File(survival.output())))
        }
    };
    let begun = spawned.map(|(life, output)| Begun { life, output, started, spec: Some(spec) });
    begun.map_err(|error| run.unstarted(&walls, &error))
}

fn spec_of(record: &Record<'_>, (number, step): (u32, &Step)) -> Result<CommandSpec, RunError> {
    let Record { run, recipe, place, .. } = record;
    let workspace = &place.scratchpad.folder;
    let cwd = folder_of(step, workspace).map_err(|message| RunError::new(ErrorClass::Failed, message))?;
    let needs = Needs {
        network: recipe.network_of(step),
        tools: place.tools.to_vec(),
        read: place.scratchpad.borrowed.clone(),
        ..Needs::default()
    };
    let walls = run.walls(workspace, needs);
    let mut env = run.env(&walls);
    env.insert("PWD".into(), cwd.to_string_lossy().into_owned());
    env.insert(TRACEPARENT.into(), run.trace_parent(Part::Step(number)));
    env.extend(recipe.env_of(step));
    Ok(CommandSpec {
        label: run.label(),
        program: run.options.shell.clone(),
        args: vec!["-c".into(), step.run.clone()],
        cwd,
        env,
        stdin: Vec::new(),
        timeout_ms: step.timeout_ms,
        grace_ms: run.options.limits.grace_ms,
        walls,
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
        Interruption::Lost(_) => "nobody knows what became of it",
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
