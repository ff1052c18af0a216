//! The worker: claims runs, executes several at once, reports them, and drains when it is told to go.

mod call;
mod reports;
mod service;

use crate::coordinator::{Coordinator, CoordinatorError};
use crate::executors::agent::{PoolBoard, PoolOptions};
use crate::executors::{Execute, Executors};
use crate::sandbox::Supervisor;
use crate::walls::SandboxOptions;
use spalla_adapter::definition::Definition;
use spalla_domain::adapter::Adapter;
use spalla_domain::agent_event;
use spalla_domain::claim::LEASE_TTL_MS_DEFAULT;
use spalla_domain::log::LINE_BYTES_MAX;
use spalla_domain::resources::Capacity;
use spalla_domain::work_item::Executor;
use spalla_domain::{Timestamp, WorkerId};
use spalla_policy::Policy;
use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use tokio::sync::watch;

/// Tells the time; handed in, so that nothing in here reads the clock of the machine.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Gives random numbers; handed in, so that a simulation repeats itself.
pub type Randomness = Arc<dyn Fn() -> u64 + Send + Sync>;

/// What a worker is and may.
#[derive(Clone)]
pub struct Options {
    /// The id under which it holds leases.
    pub worker_id: WorkerId,
    /// How many runs it executes at once.
    pub concurrency: u32,
    /// How long a lease lasts without a heartbeat, in milliseconds.
    pub ttl_ms: i64,
    /// How often leases are extended, in milliseconds; never less often than three times in a lease.
    pub heartbeat_interval_ms: i64,
    /// How long a claim waits for a run, in milliseconds.
    pub poll_wait_ms: i64,
    /// How long it waits at first when the server does not answer as it should, in milliseconds; twice as long each time
    /// after that.
    pub error_backoff_ms: u64,
    /// How often it has the server make runs of what is eligible, in milliseconds; 0 is never. A server that does so by
    /// itself does nothing then.
    pub tick_interval_ms: u64,
    /// Leaves out of the log what explains and decides nothing: for agents that read it with little context left.
    pub is_terse: bool,
    /// What it can carry out.
    pub executors: Vec<Executor>,
    /// Takes only work items that bear one of these labels; empty means any.
    pub labels: Vec<String>,
    /// What it has for all its runs together; none means that nothing is counted.
    pub resources: Option<Capacity>,
    /// Where mirrors, scratchpads, reports and spooled logs are.
    pub data_dir: PathBuf,
    /// The shell that steps are given to.
    pub shell: String,
    /// Steps that are executed whatever the work item says.
    pub steps_override: Vec<String>,
    /// What every child has in its environment; `sandbox::child_env` chooses it from the worker's own.
    pub child_env: BTreeMap<String, String>,
    /// The worker's whole environment, of which an agent's command line gets what its adapter names.
    pub environment: BTreeMap<String, String>,
    /// The agents' command lines that it knows.
    pub adapters: Arc<Vec<Definition>>,
    /// What the operator says of the calls of agents, by their names; what a work item says comes first.
    pub wishes: Arc<BTreeMap<String, Adapter>>,
    /// The folder of the sessions on this machine.
    pub sessions: PathBuf,
    /// The program that offers agents the tools of the server when it is called with `mcp`.
    pub tools: Option<PathBuf>,
    /// Which processes of agents are kept for further runs.
    pub pool: PoolOptions,
    /// What is known of them, for whoever asks.
    pub pool_board: PoolBoard,
    /// How child processes are supervised.
    pub supervisor: Supervisor,
    /// Which walls stand around the commands of runs.
    pub sandbox: SandboxOptions,
    /// Whether the first tool that an agent's definition does not let it use fails its run.
    pub is_strict_with_tools: bool,
    /// What is asked, before steps are carried out, about their commands.
    pub command_policy: Arc<Policy>,
    /// Why the walls hold nothing here, once that is known: from then on no command is started behind them.
    pub distrust: Arc<OnceLock<String>>,
    /// How long runs may go on after the wish to drain, in milliseconds; then they are handed back.
    pub drain_grace_ms: i64,
    /// The bounds of one run.
    pub limits: Limits,
    /// The clock.
    pub clock: Clock,
    /// The random numbers by which workers that lost the same server come back out of step.
    pub randomness: Randomness,
}

/// The share of an agent's context below which it is short, in percent.
const CONTEXT_PERCENT_LOW: f64 = 20.0;
/// How many tokens of context are few.
const CONTEXT_TOKENS_LOW: u64 = 20_000;

/// Tells whether an agent that has so much of its context left is to be spared what explains: a share such as `15%`, or
/// tokens. Nothing, and what is neither, is as if all were left.
pub fn is_context_low(remaining: &str) -> bool {
    let remaining = remaining.trim();
    match remaining.strip_suffix('%') {
        Some(percent) => percent.trim().parse().is_ok_and(|percent: f64| percent < CONTEXT_PERCENT_LOW),
        None => remaining.parse().is_ok_and(|tokens: u64| tokens < CONTEXT_TOKENS_LOW),
    }
}

/// The bounds of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// How much of its output is kept, in bytes.
    pub output_bytes_max: u64,
    /// How much of one line is kept, in bytes.
    pub line_bytes_max: u64,
    /// The longest line of an agent that is read as an event, in bytes.
    pub event_bytes_max: u64,
    /// How deep an event of an agent may be nested.
    pub event_depth_max: u64,
    /// How much of its log waits in memory while the server is away, in bytes; the rest waits in a file.
    pub spool_memory_bytes: usize,
    /// How long its processes have between the wish to end and the end by force, in milliseconds.
    pub grace_ms: i64,
    /// How often its agent may do the same in a row, with nothing new, until it is stopped; 0 is as often as it likes.
    pub repeats_max: u32,
    /// How long all hooks of one kind may take, in milliseconds; and all that takes down what was set up.
    pub hook_ms: u64,
    /// How long the startup script may take, in milliseconds, and all setup tasks together.
    pub setup_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            output_bytes_max: 64 * 1024 * 1024,
            line_bytes_max: LINE_BYTES_MAX as u64,
            event_bytes_max: agent_event::LINE_BYTES_MAX as u64,
            event_depth_max: agent_event::DEPTH_MAX as u64,
            spool_memory_bytes: 8 * 1024 * 1024,
            grace_ms: 3_000,
            repeats_max: 12,
            hook_ms: 60_000,
            setup_ms: 600_000,
        }
    }
}

impl Options {
    /// Returns the options of a worker of which nothing else is said.
    pub fn new(
        worker_id: WorkerId,
        data_dir: PathBuf,
        child_env: BTreeMap<String, String>,
        supervisor: Supervisor,
        clock: Clock,
    ) -> Self {
        Self {
            sessions: data_dir.join("sessions"),
            environment: BTreeMap::new(),
            adapters: Arc::default(),
            wishes: Arc::default(),
            tools: None,
            pool: PoolOptions::default(),
            pool_board: PoolBoard::default(),
            worker_id,
            concurrency: 1,
            ttl_ms: LEASE_TTL_MS_DEFAULT,
            heartbeat_interval_ms: 10_000,
            poll_wait_ms: 20_000,
            error_backoff_ms: 2_000,
            tick_interval_ms: 0,
            is_terse: false,
            executors: vec![Executor::Recipe, Executor::Agent],
            labels: Vec::new(),
            resources: None,
            data_dir,
            shell: "/bin/sh".into(),
            steps_override: Vec::new(),
            child_env,
            supervisor,
            sandbox: SandboxOptions::default(),
            is_strict_with_tools: false,
            command_policy: Policy::built_in(),
            distrust: Arc::default(),
            drain_grace_ms: 30_000,
            limits: Limits::default(),
            clock,
            // The seed of a new hasher is the standard library's randomness.
            randomness: Arc::new(|| RandomState::new().hash_one(())),
        }
    }
}

/// Why a worker can't work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its data folder can't be used.
    #[error("the worker's data folder can't be used: {0}")]
    DataDir(String),
    /// The server does not accept its very first call, so that no later one would be.
    #[error("the server does not accept this worker: {0}; check the server's address and the token")]
    NotAccepted(#[source] CoordinatorError),
}

/// What a worker is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Status {
    /// How many runs it executes.
    pub running: usize,
    /// Whether the server answered its newest call.
    pub connected: bool,
}

/// How far the end of the worker has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Working,
    Draining,
    Stopping,
}

/// The hold on a worker.
#[derive(Debug, Clone)]
pub struct Handle {
    phase: watch::Sender<Phase>,
    status: watch::Receiver<Status>,
}

impl Handle {
    /// Lets the worker finish what it has within its grace, and go. It claims nothing more.
    pub fn drain(&self) {
        self.advance(Phase::Draining);
    }

    /// Lets the worker hand back what it has at once, and go.
    pub fn stop(&self) {
        self.advance(Phase::Stopping);
    }

    /// Returns what the worker is doing.
    pub fn status(&self) -> Status {
        *self.status.borrow()
    }

    fn advance(&self, to: Phase) {
        self.phase.send_if_modified(|phase| {
            let forward = *phase < to;
            *phase = (*phase).max(to);
            forward
        });
    }
}

/// What every run of a worker shares.
pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) coordinator: Arc<dyn Coordinator>,
    pub(crate) executors: Arc<dyn Execute>,
}

/// A worker that has not begun.
pub struct Worker {
    shared: Arc<Shared>,
    phase: watch::Receiver<Phase>,
    status: watch::Sender<Status>,
}

impl Worker {
    /// Makes a worker and the hold on it.
    pub fn new(options: Options, coordinator: Arc<dyn Coordinator>) -> Result<(Self, Handle), Error> {
        let executors = Executors::open(&options, Arc::clone(&coordinator))
            .map_err(|error| Error::DataDir(error.to_string()))?;
        Ok(Self::with_executors(options, coordinator, Arc::new(executors)))
    }

    /// Makes a worker whose runs are carried out by somebody else than the shipped executors.
    pub fn with_executors(
        options: Options,
        coordinator: Arc<dyn Coordinator>,
        executors: Arc<dyn Execute>,
    ) -> (Self, Handle) {
        let shared = Arc::new(Shared { options, coordinator, executors });
        let (phase, phase_seen) = watch::channel(Phase::Working);
        let (status, status_seen) = watch::channel(Status::default());
        (Self { shared, phase: phase_seen, status }, Handle { phase, status: status_seen })
    }

    /// Works until it is told to go. Every process it started is gone when this returns.
    pub async fn run(self) -> Result<(), Error> {
        service::Service::new(self.shared, self.status).run(self.phase).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn context_is_low_below_a_fifth_or_twenty_thousand_tokens() {
        for low in ["0%", "19.9%", " 15 % ", "0", "19999"] {
            assert!(is_context_low(low), "{low}");
        }
        for enough in ["", "20%", "100%", "20000", "many", "-1%x", "%"] {
            assert!(!is_context_low(enough), "{enough}");
        }
    }
}
