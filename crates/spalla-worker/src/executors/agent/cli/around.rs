//! What an agent's definition wants done around its work, in the run's sandbox: what has to be there is looked for, the
//! worktree is made ready, hooks are called before and after, and what was set up is taken down, whatever became of the work.
//!
//! ```text
//! dependencies ─▶ startup_script ─▶ setup_tasks ─▶ pre_task ─▶ the agent's work ─▶ post_task, or failure ─▶ teardown_tasks
//!       └──────────────┴──────────────┴── what fails ends the run ─────────────────────▶ failure ─▶ teardown_tasks
//! ```

use super::told::Told;
use crate::control::Stop;
use crate::executors::recipe;
use crate::run::{End, Failure, Run};
use crate::sandbox::{CommandSpec, How};
use crate::scratchpad::Scratchpad;
use crate::walls::Needs;
use spalla_domain::agent_event::{AgentEvent, AgentEventType};
use spalla_domain::agent_policy::AgentPolicy;
use spalla_domain::log::{Stream, text_of};
use spalla_domain::retry::ErrorClass;
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::Instant;

/// The most of a command's output that is read, in bytes; the rest is thrown away.
const OUTPUT_BYTES_MAX: usize = 256 * 1024;
/// How much of the end of it an event says, in bytes.
const TOLD_BYTES_MAX: usize = 8 * 1024;
/// How much of a command is repeated in a message, in characters.
const SHOWN_CHARS: usize = 200;
/// Its lines in the log are those of this step: the agent's own are those of the first.
const STEP: u32 = 2;

/// What is done around the work of one run.
pub(super) struct Around<'a> {
    run: &'a Run<'a>,
    scratchpad: &'a Scratchpad,
    policy: &'a AgentPolicy,
    /// The programs that have to be there.
    programs: Vec<PathBuf>,
}

/// A kind of command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Startup,
    Setup,
    PreTask,
    PostTask,
    Failure,
    Teardown,
    Smoke,
}

impl Phase {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Startup => "startup_script",
            Self::Setup => "setup_tasks",
            Self::PreTask => "pre_task",
            Self::PostTask => "post_task",
            Self::Failure => "failure",
            Self::Teardown => "teardown_tasks",
            Self::Smoke => "smoke",
        }
    }

    const fn is_hook(self) -> bool {
        matches!(self, Self::PreTask | Self::PostTask | Self::Failure)
    }

    /// Tells whether the end of the run ends it too; what comes after the work has its own time.
    const fn is_before(self) -> bool {
        matches!(self, Self::Startup | Self::Setup | Self::PreTask | Self::Smoke)
    }
}

impl<'a> Around<'a> {
    pub(super) const fn new(run: &'a Run<'a>, scratchpad: &'a Scratchpad, policy: &'a AgentPolicy) -> Self {
        Self { run, scratchpad, policy, programs: Vec::new() }
    }

    /// Returns the policy.
    pub(super) const fn policy(&self) -> &'a AgentPolicy {
        self.policy
    }

    /// Does what comes before the work; what fails ends the run.
    pub(super) async fn before(&mut self, told: &mut Told<'_>) -> Result<(), End> {
        let (workflow, hooks) = (&self.policy.workflow, &self.policy.hooks);
        let commands = workflow.startup_script.iter().chain(&workflow.setup_tasks).chain(&hooks.pre_task);
        let commands = commands.chain(&hooks.post_task).chain(&hooks.failure).chain(&workflow.teardown_tasks);
        let commands = commands.chain(&self.policy.smoke);
        let autonomy = self.policy.autonomy_permille;
        recipe::check_definition(self.run, commands, &self.scratchpad.folder, autonomy).await?;
        self.programs = recipe::dependencies(self.run, self.scratchpad, workflow).await?;
        let limits = &self.run.options.limits;
        let startup = workflow.startup_script.as_slice();
        self.all(told, Phase::Startup, startup, limits.setup_ms).await?;
        self.all(told, Phase::Setup, &workflow.setup_tasks, limits.setup_ms).await?;
        self.all(told, Phase::PreTask, &self.policy.hooks.pre_task, limits.hook_ms).await
    }

    /// Does what comes after it, whatever became of it. Nothing of this changes how the run ended.
    pub(super) async fn after(&self, told: &mut Told<'_>, end: &End) {
        // Whoever took the run over does it.
        if matches!(self.run.control.stop(), Some(Stop::LeaseLost(_))) {
            return;
        }
        let hooks = &self.policy.hooks;
        let hook = match end {
            End::Succeeded { .. } => Some((Phase::PostTask, &hooks.post_task)),
            End::Failed(_) => Some((Phase::Failure, &hooks.failure)),
            // Neither succeeded nor failed yet, or stopped by a person.
            End::Held | End::Stopped(_) => None,
        };
        let teardown = (Phase::Teardown, &self.policy.workflow.teardown_tasks);
        let ms = self.run.options.limits.hook_ms;
        for (phase, commands) in hook.into_iter().chain([teardown]) {
            if let Err(End::Failed(failure)) = self.all(told, phase, commands, ms).await {
                let text = format!("{}; the run's end stays as it is", failure.error.message);
                told.own(AgentEvent::new(AgentEventType::Error, text).with("phase", phase.as_str())).await;
            }
        }
    }

    /// Runs the agent's own smoke test in the worktree as it is now.
    pub(super) async fn smoke(&self, told: &mut Told<'_>) -> Result<(), End> {
        self.all(told, Phase::Smoke, self.policy.smoke.as_slice(), self.run.options.limits.setup_ms).await
    }

    /// Runs commands one after another, all of them within one time. Before the work the first that fails is the last; after
    /// it each has its turn, and the first failure is returned.
    async fn all(&self, told: &mut Told<'_>, phase: Phase, commands: &[String], ms: u64) -> Result<(), End> {
        let ends_at = Instant::now() + Duration::from_millis(ms);
        let mut first = Ok(());
        for command in commands {
            let left = ends_at.saturating_duration_since(Instant::now());
            let ran = self.one(told, phase, command, left).await;
            match ran {
                Err(end) if phase.is_before() => return Err(end),
                ran => first = first.and(ran),
            }
        }
        first
    }

    async fn one(&self, told: &mut Told<'_>, phase: Phase, command: &str, left: Duration) -> Result<(), End> {
        let run = self.run;
        if phase.is_before() {
            run.hold().await;
            if let Some(interruption) = run.interruption() {
                return Err(run.end_by(interruption));
            }
        }
        let shown: String = command.trim().chars().take(SHOWN_CHARS).collect();
        let failed = |class, what: String| {
            End::from(Failure::new(class, format!("{} `{shown}` {what}", phase.as_str())))
        };
        if left.is_zero() {
            return Err(failed(
                ErrorClass::TimedOut,
                "was not started: the time of these commands is over".into(),
            ));
        }
        run.log.say_of(STEP, format!("{}: {shown}", phase.as_str())).await;
        let spec = self.spec(command, left);
        let walls = spec.walls.clone();
        let stop = async {
            match phase.is_before() {
                true => drop(run.interrupted().await),
                // It is ended by its own time.
                false => std::future::pending().await,
            }
        };
        let captured = match run.sandbox.capture(spec, OUTPUT_BYTES_MAX, stop).await {
            Ok(captured) => captured,
            Err(error) => {
                let error = run.unstarted(&walls, &error);
                return Err(failed(error.class, format!("did not start: {}", error.message)));
            }
        };
        run.attest(&captured.ended);
        for (stream, bytes) in [(Stream::Stdout, &captured.stdout), (Stream::Stderr, &captured.stderr)] {
            let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            run.log.output(stream, STEP, lines.map(text_of).collect()).await;
        }
        let ended = &captured.ended;
        let how = match (&ended.exceeded, ended.timed_out) {
            (Some(limit), _) => format!("reached its limit of {limit}"),
            (None, true) => "was ended, since its time was over".to_owned(),
            (None, false) => format!("ended: {}", ended.how),
        };
        let output = [tail(&captured.stdout), tail(&captured.stderr)].concat();
        let event = AgentEvent::new(AgentEventType::Status, format!("{} `{shown}` {how}", phase.as_str()))
            .with("phase", phase.as_str())
            .with("output", run.log.masked(output))
            .with("exit_code", ended.how.code());
        let event = match phase.is_hook() {
            true => event.with("log_channels", self.policy.log_channels.clone()),
            false => event,
        };
        told.own(event).await;
        if let (true, true, Some(interruption)) = (phase.is_before(), ended.stopped, run.interruption()) {
            return Err(run.end_by(interruption));
        }
        match (&ended.how, ended.timed_out) {
            (_, true) => Err(failed(ErrorClass::TimedOut, how)),
            (How::Exited(0), false) => Ok(()),
            (_, false) => Err(failed(ErrorClass::Failed, how.replace("ended:", "failed:"))),
        }
    }

    /// Such a command sees what a step of a recipe sees, and reaches the hosts that the operator lists.
    fn spec(&self, command: &str, left: Duration) -> CommandSpec {
        let (run, folder) = (self.run, &self.scratchpad.folder);
        let network = !run.options.sandbox.hosts.is_empty();
        let (tools, read) = (self.programs.clone(), self.scratchpad.borrowed.clone());
        let walls = run.walls(folder, Needs { network, tools, read, ..Needs::default() });
        let mut env = run.env(&walls);
        env.insert("PWD".into(), folder.to_string_lossy().into_owned());
        env.insert("SPALLA_AGENT".into(), self.policy.name().to_owned());
        CommandSpec {
            label: run.label(),
            program: run.options.shell.clone(),
            args: vec!["-c".into(), command.to_owned()],
            cwd: folder.clone(),
            env,
            stdin: Vec::new(),
            timeout_ms: Some(i64::try_from(left.as_millis()).unwrap_or(i64::MAX).max(1)),
            grace_ms: run.options.limits.grace_ms,
            walls,
        }
    }
}

fn tail(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(TOLD_BYTES_MAX / 2)..]).into_owned();
    text.replace('\0', " ")
}
