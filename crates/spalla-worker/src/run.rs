//! One run while it is carried out: what was handed out, where it writes, and what can interrupt it.

use crate::control::{Control, Stop};
use crate::coordinator::Coordinator;
use crate::credentials::{self, Credentials, Place};
use crate::executors::agent::Memory;
use crate::executors::recipe::State;
use crate::left_behind;
use crate::limits;
use crate::masks::Masks;
use crate::refusals::Refusals;
use crate::run_log::RunLog;
use crate::sandbox::{Sandbox, Walls};
use crate::scratchpad::Scratchpads;
use crate::telling::Telling;
use crate::worker::Options;
use serde_json::Value;
use spalla_domain::agent_policy::AgentPolicy;
use spalla_domain::claim::{Assignment, Heartbeat, RunError, Usage};
use spalla_domain::limits::{Effective, Limit};
use spalla_domain::retry::ErrorClass;
use spalla_domain::sandbox::Attested;
use spalla_domain::trace::{Part, TraceParent, span_id};
use spalla_domain::work_item::Executor;
use spalla_domain::{InfoRequestId, Timestamp};
use spalla_sandbox::Preset;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// The variable that hands a trace on to a program.
pub(crate) const TRACEPARENT: &str = "TRACEPARENT";

/// A run and everything that its executor may use.
pub(crate) struct Run<'a> {
    pub(crate) assignment: &'a Assignment,
    pub(crate) log: &'a RunLog,
    pub(crate) control: &'a Control,
    pub(crate) options: &'a Options,
    pub(crate) sandbox: &'a Sandbox,
    pub(crate) scratchpads: &'a Scratchpads,
    pub(crate) agents: &'a Memory,
    pub(crate) coordinator: &'a dyn Coordinator,
    started: Instant,
    /// How much of its time it had used when an earlier worker left it.
    used_before: Duration,
    held_ms: AtomicU64,
    goes_on: bool,
    credentials: OnceLock<Credentials>,
    pub(crate) asked: OnceLock<InfoRequestId>,
    pub(crate) attested: Mutex<Option<Attested>>,
    used: Mutex<Option<Usage>>,
    pub(crate) refusals: Refusals,
    pub(crate) telling: Telling,
    /// How much its commands may use, and who says so.
    pub(crate) limits: Effective,
}

/// Why a run does not go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Interruption {
    /// It was told to end.
    Stopped(Stop),
    /// Its time is over.
    TimedOut,
    /// Its step went on without a worker, and nobody knows what became of it, for this reason.
    Lost(String),
}

/// How an executor ended.
#[derive(Debug)]
pub enum End {
    /// What was asked is done.
    Succeeded {
        /// What the run produced.
        result: Value,
    },
    /// It is not.
    Failed(Failure),
    /// The run was told to end before it was done.
    Stopped(Stop),
    /// Nothing was carried out: the run waits for a person, and needs no worker meanwhile.
    Held,
}

impl End {
    /// Takes out of what is told of it what is to be masked in the run.
    fn mask(&mut self, masks: &Masks) {
        match self {
            Self::Succeeded { result } => masks.json(result),
            Self::Failed(Failure { error, result, .. }) => {
                error.message = masks.text(std::mem::take(&mut error.message));
                if let Some(result) = result {
                    masks.json(result);
                }
            }
            Self::Stopped(_) | Self::Held => {}
        }
    }
}

/// How a run ended, and which walls stood around its commands.
#[derive(Debug)]
pub struct Finished {
    /// How.
    pub end: End,
    /// The walls; none where no command was started.
    pub sandbox: Option<Box<Attested>>,
    /// What it used of models; none where nothing is known.
    pub usage: Option<Usage>,
}

impl From<End> for Finished {
    fn from(end: End) -> Self {
        Self { end, sandbox: None, usage: None }
    }
}

/// A failure with what is known about it.
#[derive(Debug)]
pub struct Failure {
    /// Why, and of which kind.
    pub error: RunError,
    /// The exit status of the step that decided.
    pub exit_code: Option<i32>,
    /// What the run produced all the same.
    pub result: Option<Value>,
}

impl Failure {
    /// Makes a failure of which no more is known than why.
    pub fn new(class: ErrorClass, message: impl Into<String>) -> Self {
        Self::of(RunError::new(class, message))
    }

    /// Makes a failure of an error of which no more is known.
    pub fn of(error: RunError) -> Self {
        Self { error, exit_code: None, result: None }
    }
}

impl From<Failure> for End {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl<'a> Run<'a> {
    /// Begins a run; its time runs from now.
    pub(crate) fn begin(
        assignment: &'a Assignment,
        (log, control): (&'a RunLog, &'a Control),
        options: &'a Options,
        (sandbox, scratchpads, agents): (&'a Sandbox, &'a Scratchpads, &'a Memory),
        coordinator: &'a dyn Coordinator,
    ) -> Self {
        let (started, held_ms, credentials) = (Instant::now(), AtomicU64::new(0), OnceLock::new());
        Self {
            assignment,
            log,
            control,
            options,
            sandbox,
            scratchpads,
            agents,
            coordinator,
            started,
            used_before: Duration::ZERO,
            held_ms,
            goes_on: false,
            credentials,
            asked: OnceLock::new(),
            attested: Mutex::default(),
            used: Mutex::default(),
            refusals: Refusals::default(),
            telling: Telling::default(),
            limits: limits::of_run(options, assignment),
        }
    }

    /// Goes on from where an earlier worker wrote the run down. The time since then counts: its step went on.
    pub(crate) fn go_on_from(&mut self, state: &State) {
        let since = self.since(state.written_at).elapsed();
        self.used_before = Duration::from_millis(state.used_ms).saturating_add(since);
        self.held_ms = AtomicU64::new(state.held_ms);
        self.goes_on = true;
        self.attested = Mutex::new(state.attested.clone());
        self.log.go_on_from(state.kept);
        if let Some(id) = state.asked {
            let _ = self.asked.set(id);
        }
    }

    /// Returns how much of its time the run has used, and how long it waited for people, in milliseconds.
    pub(crate) fn used_ms(&self) -> (u64, u64) {
        let used = self.used_before.saturating_add(self.started.elapsed());
        (u64::try_from(used.as_millis()).unwrap_or(u64::MAX), self.held_ms.load(Ordering::Relaxed))
    }

    /// Returns a moment that the clock told, as a moment from which time is measured here.
    pub(crate) fn since(&self, at: Timestamp) -> Instant {
        let passed_ms = (self.options.clock)().ms().saturating_sub(at.ms()).max(0).unsigned_abs();
        let now = Instant::now();
        now.checked_sub(Duration::from_millis(passed_ms)).unwrap_or(now)
    }

    /// Returns how long a step of the run goes on without its worker; none ends it with its worker. Only a run that is
    /// nothing but steps can be taken up again.
    pub(crate) fn reattach_grace_ms(&self) -> Option<u64> {
        let is_of_steps = self.assignment.executor == Executor::Recipe;
        self.options.sandbox.reattach_grace_ms.filter(|_| is_of_steps)
    }

    /// Returns the folder of what lets the run outlive its worker.
    pub(crate) fn left_behind(&self) -> PathBuf {
        let folder = left_behind::folder_of(&self.options.data_dir, &self.label());
        std::path::absolute(&folder).unwrap_or(folder)
    }

    /// Returns where the files are that a person answered: without walls in a folder, which is not this process's where the
    /// run may outlive it.
    pub(crate) fn credentials_place(&self) -> Place {
        if self.options.sandbox.preset != Some(Preset::None) {
            return Place::Inside;
        }
        Place::Folder(match self.goes_on || self.reattach_grace_ms().is_some() {
            true => self.left_behind().join("credentials"),
            false => credentials::own_folder(&self.options.data_dir).join(self.label()),
        })
    }

    /// Returns how the run ended, with the walls that stood around its commands.
    pub(crate) fn finish(self, mut end: End) -> Finished {
        end.mask(self.log.masks());
        let attested = self.attested.into_inner().unwrap_or_else(PoisonError::into_inner);
        let usage = self.used.into_inner().unwrap_or_else(PoisonError::into_inner);
        Finished { end, sandbox: attested.map(Box::new), usage }
    }

    /// Takes note of what a model's turn used: turns add up, and what one of them does not tell stays unknown.
    pub(crate) fn spend(&self, turn: Usage) {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        *used = Some(match used.take() {
            None => turn,
            Some(before) => Usage {
                input_tokens: before.input_tokens.zip(turn.input_tokens).map(|(a, b)| a.saturating_add(b)),
                output_tokens: before.output_tokens.zip(turn.output_tokens).map(|(a, b)| a.saturating_add(b)),
                cost_usd: before.cost_usd.zip(turn.cost_usd).map(|(a, b)| a + b),
            },
        });
    }

    /// Returns what a person answered to this run.
    pub(crate) fn credentials(&self) -> Option<&Credentials> {
        self.credentials.get()
    }

    /// Waits until something interrupts the run.
    pub(crate) async fn interrupted(&self) -> Interruption {
        loop {
            tokio::select! {
                biased;
                stop = self.control.stopped() => return Interruption::Stopped(stop),
                () = tokio::time::sleep_until(self.deadline()) => {}
            }
            // The deadline moves when a person holds the run.
            if self.deadline() <= Instant::now() {
                return Interruption::TimedOut;
            }
        }
    }

    /// Returns what has interrupted the run already.
    pub(crate) fn interruption(&self) -> Option<Interruption> {
        let timed_out = || (self.deadline() <= Instant::now()).then_some(Interruption::TimedOut);
        self.control.stop().map(Interruption::Stopped).or_else(timed_out)
    }

    /// Holds while a person paused the run. The time does not count.
    pub(crate) async fn hold(&self) {
        if !self.control.is_paused() {
            return;
        }
        self.log.say("paused: the next step waits until the run is resumed").await;
        let since = Instant::now();
        self.control.released().await;
        self.held_since(since);
        self.log.say(format!("goes on after {}", seconds(since.elapsed()))).await;
    }

    /// Takes note that the run waited for a person, whose time is not the run's.
    pub(crate) fn held_since(&self, since: Instant) {
        let held = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.held_ms.fetch_add(held, Ordering::Relaxed);
    }

    /// Gives what the run starts from now on the values that a person answered. They go when the run does.
    pub(crate) fn bear(&self, credentials: Credentials) {
        // A run asks once.
        let _ = self.credentials.set(credentials);
    }

    /// Returns the end that follows from an interruption.
    pub(crate) fn end_by(&self, interruption: Interruption) -> End {
        match interruption {
            Interruption::Stopped(stop) => End::Stopped(stop),
            Interruption::TimedOut => {
                let limit = Duration::from_millis(self.timeout_ms());
                let message = format!("the run took longer than its {}", seconds(limit));
                Failure::new(ErrorClass::TimedOut, message).into()
            }
            Interruption::Lost(reason) => Failure::new(ErrorClass::Lost, reason).into(),
        }
    }

    /// Returns the environment that every command of the run has behind those walls: without any, what the worker hands
    /// on is added here.
    pub(crate) fn env(&self, walls: &Walls) -> BTreeMap<String, String> {
        let mut env = match walls {
            Walls::None => self.options.child_env.clone(),
            Walls::Up(_) => BTreeMap::new(),
        };
        // The person's keys are for fetching the repository, not for its steps.
        env.remove("SSH_AUTH_SOCK");
        env.insert("SPALLA_RUN_ID".into(), self.assignment.run_id.to_string());
        env.insert("SPALLA_WORK_ITEM_ID".into(), self.assignment.work_item_id.to_string());
        env.insert("SPALLA_ATTEMPT".into(), self.assignment.attempt.to_string());
        env.insert("SPALLA_TRACE_ID".into(), self.assignment.trace_id.clone());
        env.insert(TRACEPARENT.into(), self.trace_parent(Part::Executing));
        let credentials = self.credentials.get().map(Credentials::variables);
        env.extend(credentials.into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())));
        env
    }

    /// Returns what lets a program continue the run's trace under one of its spans.
    pub(crate) fn trace_parent(&self, part: Part) -> String {
        let trace_id = self.assignment.trace_id.clone();
        let span_id = span_id(&trace_id, part);
        TraceParent { trace_id, span_id, is_sampled: true }.to_string()
    }

    /// Returns what a person sees of the run's commands in the list of processes.
    pub(crate) fn label(&self) -> String {
        let Assignment { run_id, fencing_token, .. } = *self.assignment;
        label_of(&Heartbeat { run_id, fencing_token })
    }

    /// Returns how long it may take, in milliseconds.
    fn timeout_ms(&self) -> u64 {
        self.limits.value(Limit::TimeoutMs).unwrap_or(self.assignment.timeout_ms.max(0).unsigned_abs())
    }

    /// Returns what the agent's definition says of the run; none without a definition.
    pub(crate) fn policy(&self) -> Option<&AgentPolicy> {
        self.assignment.adapter.as_ref()?.policy.as_deref()
    }

    fn deadline(&self) -> Instant {
        let own = self.timeout_ms();
        let all = Duration::from_millis(own.saturating_add(self.held_ms.load(Ordering::Relaxed)));
        self.started + all.saturating_sub(self.used_before)
    }
}

/// Returns the name of a run under one of its tokens, for processes and folders.
pub(crate) fn label_of(lease: &Heartbeat) -> String {
    format!("run-{}-{}", lease.run_id, lease.fencing_token)
}

/// Returns a duration as a person reads it.
pub(crate) fn seconds(duration: Duration) -> String {
    format!("{:.3} s", duration.as_secs_f64())
}
