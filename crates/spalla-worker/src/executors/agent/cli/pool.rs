//! Processes of agents that are kept for the next run of their kind. A seat is a folder with a home and a place for the work;
//! its process stands behind walls around these two, and each run's worktree is moved into that place and out again. So the
//! walls of a process never change: it serves a run only if the very same process would be started for that run anew.
//!
//! ```text
//! run ─▶ seat: one that waits, or a new one ─▶ worktree moved in ─▶ turn ─▶ worktree moved out ─┬─▶ the seat waits
//!                                                                                             └─▶ process and folder go
//! ```

use super::process::Process;
use crate::executors::agent::keeper::Keeper;
use crate::run::Run;
use crate::sandbox::{CommandSpec, Walls};
use crate::scratchpad::{self, Place};
use spalla_adapter::definition::Definition;
use spalla_domain::ProjectId;
use spalla_domain::agent_event::Bounds;
use spalla_domain::agent_pool::PoolState;
use spalla_sandbox::{Policy, Preset};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What the operator says of kept processes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolOptions {
    /// How many of one kind wait for a run; 0 keeps none.
    pub size: usize,
    /// After how many turns a process is ended.
    pub tasks_max: u32,
    /// How long a process waits for a run, in milliseconds.
    pub idle_ms: u64,
    /// The agents whose processes serve one run each.
    pub without: BTreeSet<String>,
}

impl Default for PoolOptions {
    fn default() -> Self {
        Self { size: 2, tasks_max: 20, idle_ms: 300_000, without: BTreeSet::new() }
    }
}

/// What kinds of processes there are, for whoever asks; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct PoolBoard(Arc<Mutex<State>>);

/// Which runs a process may serve one after another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    agent: String,
    project: ProjectId,
    is_read_only: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    busy: u64,
    started: u64,
    tasks: u64,
    reused: u64,
    retired: u64,
    faults: u64,
}

#[derive(Debug, Default)]
struct State {
    idle: Vec<Waiting>,
    tallies: BTreeMap<Kind, Tally>,
    seats: u64,
}

#[derive(Debug)]
struct Waiting {
    number: u64,
    kind: Kind,
    folder: PathBuf,
    warm: Warm,
    since: Instant,
}

/// A process that can take another turn.
#[derive(Debug)]
pub(super) struct Warm {
    pub(super) process: Process,
    /// What was started.
    wanted: Wanted,
    tasks: u32,
    born: Instant,
}

/// What makes a process the one that a run would start: the command and its walls.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wanted {
    program: String,
    args: Vec<String>,
    env: BTreeMap<String, String>,
    cwd: PathBuf,
    policy: Option<Policy>,
    credentials: spalla_sandbox::HostCredentials,
    outside: BTreeMap<String, String>,
}

impl Warm {
    /// Tells whether it took a turn before.
    pub(super) fn is_reused(&self) -> bool {
        self.tasks > 0
    }

    /// Takes the process out of what is known of it.
    pub(super) fn apart(self) -> (Process, Known) {
        let Self { process, wanted, tasks, born } = self;
        (process, Known { wanted, tasks, born })
    }
}

/// What is known of a process that is with somebody else.
#[derive(Debug)]
pub(super) struct Known {
    wanted: Wanted,
    tasks: u32,
    born: Instant,
}

impl Known {
    /// Puts them together again.
    pub(super) fn with(self, process: Process) -> Warm {
        let Self { wanted, tasks, born } = self;
        Warm { process, wanted, tasks, born }
    }
}

impl Wanted {
    fn of(spec: &CommandSpec) -> Self {
        let (policy, credentials, outside) = match &spec.walls {
            Walls::Up(confined) => {
                (Some(confined.policy.clone()), confined.credentials.clone(), confined.outside.clone())
            }
            Walls::None => Default::default(),
        };
        let CommandSpec { program, args, env, cwd, .. } = spec.clone();
        Self { program, args, env, cwd, policy, credentials, outside }
    }
}

/// The processes of one worker.
#[derive(Debug)]
pub(crate) struct Pool {
    folder: PathBuf,
    options: PoolOptions,
    board: PoolBoard,
    keeper: Keeper,
    closing: CancellationToken,
}

/// Where an agent of a run sits. When it is dropped, what is left of it goes.
#[derive(Debug)]
pub(super) struct Seat {
    pool: Arc<Pool>,
    number: u64,
    kind: Kind,
    folder: PathBuf,
    /// The process that waits in it, or has just taken a turn.
    warm: Option<Warm>,
}

impl Pool {
    pub(crate) fn new(data_dir: &Path, options: PoolOptions, board: PoolBoard, keeper: Keeper) -> Arc<Self> {
        let folder = std::path::absolute(data_dir.join("pool")).unwrap_or_else(|_| data_dir.join("pool"));
        Arc::new(Self { folder, options, board, keeper, closing: CancellationToken::new() })
    }

    /// Returns the seat of a run's agent; none where its process serves no other run: it is switched off, nobody can be
    /// spoken with, no walls stand, or the run has values of its own that no other one may see.
    pub(super) fn seat(
        self: &Arc<Self>,
        run: &Run<'_>,
        definition: &Definition,
        is_read_only: bool,
    ) -> Option<Seat> {
        let Options { size, without, .. } = &self.options;
        let is_off = *size == 0 || without.contains(&definition.name) || self.closing.is_cancelled();
        let is_alone = run.options.sandbox.preset == Some(Preset::None) || run.credentials().is_some();
        if is_off || is_alone || !definition.is_dialogue() {
            return None;
        }
        let (agent, project) = (definition.name.clone(), run.assignment.project_id);
        let kind = Kind { agent, project, is_read_only };
        let mut state = self.board.state();
        state.tallies.entry(kind.clone()).or_default().busy += 1;
        if let Some(at) = state.idle.iter().rposition(|waiting| waiting.kind == kind) {
            let Waiting { number, kind, folder, warm, .. } = state.idle.remove(at);
            return Some(Seat { pool: Arc::clone(self), number, kind, folder, warm: Some(warm) });
        }
        state.seats += 1;
        let number = state.seats;
        let folder = self.folder.join(number.to_string());
        Some(Seat { pool: Arc::clone(self), number, kind, folder, warm: None })
    }

    /// Ends every process that waits. None waits any more after this.
    pub(crate) fn close(&self) {
        self.closing.cancel();
        let idle = std::mem::take(&mut self.board.state().idle);
        for Waiting { kind, folder, warm, .. } in idle {
            self.retire(&kind, folder, Some(warm));
        }
    }

    /// Ends a process, and then removes its folder.
    fn retire(&self, kind: &Kind, folder: PathBuf, warm: Option<Warm>) {
        if warm.is_some() {
            self.board.state().tallies.entry(kind.clone()).or_default().retired += 1;
        }
        self.keeper.keep(async move {
            if let Some(warm) = warm {
                warm.process.stop();
                warm.process.ended(Duration::ZERO).await;
            }
            if let Err(error) = scratchpad::remove(&folder).await {
                tracing::warn!(folder = %folder.display(), %error, "the folder of an agent's process was not removed");
            }
        });
    }

    /// Lets a process wait for the next run of its kind, for a while. One that ends meanwhile does not wait any more.
    fn park(self: &Arc<Self>, seat: &mut Seat, warm: Warm) {
        let gone = warm.process.gone();
        let waiting = Waiting {
            number: seat.number,
            kind: seat.kind.clone(),
            folder: seat.folder.clone(),
            warm,
            since: Instant::now(),
        };
        let mut state = self.board.state();
        state.idle.push(waiting);
        let mut surplus = Vec::new();
        while state.idle.iter().filter(|waiting| waiting.kind == seat.kind).count() > self.options.size {
            let Some(at) = state.idle.iter().position(|waiting| waiting.kind == seat.kind) else { break };
            surplus.push(state.idle.remove(at));
        }
        drop(state);
        for Waiting { kind, folder, warm, .. } in surplus {
            self.retire(&kind, folder, Some(warm));
        }
        let (pool, number, idle) =
            (Arc::clone(self), seat.number, Duration::from_millis(self.options.idle_ms));
        self.keeper.keep(async move {
            let is_fault = tokio::select! {
                () = tokio::time::sleep(idle) => false,
                () = gone.cancelled() => true,
                () = pool.closing.cancelled() => return,
            };
            let over =
                |waiting: &Waiting| waiting.number == number && (is_fault || waiting.since.elapsed() >= idle);
            let mut state = pool.board.state();
            let at = state.idle.iter().position(over);
            let Some(Waiting { kind, folder, warm, .. }) = at.map(|at| state.idle.remove(at)) else { return };
            state.tallies.entry(kind.clone()).or_default().faults += u64::from(is_fault);
            drop(state);
            pool.retire(&kind, folder, Some(warm));
        });
    }
}

impl PoolBoard {
    /// Returns what is known of each kind.
    pub fn states(&self) -> Vec<PoolState> {
        let state = self.state();
        let of = |(kind, tally): (&Kind, &Tally)| {
            let idle = state.idle.iter().filter(|waiting| waiting.kind == *kind);
            let oldest = idle.clone().map(|waiting| waiting.warm.born.elapsed().as_millis()).max();
            PoolState {
                agent: kind.agent.clone(),
                project_id: kind.project,
                is_read_only: kind.is_read_only,
                idle: idle.count() as u64,
                busy: tally.busy,
                started: tally.started,
                tasks: tally.tasks,
                reused: tally.reused,
                retired: tally.retired,
                faults: tally.faults,
                oldest_ms: oldest.map(|ms| u64::try_from(ms).unwrap_or(u64::MAX)),
            }
        };
        state.tallies.iter().map(of).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// Returns the home of its agent.
    pub(super) fn home(&self) -> PathBuf {
        self.folder.join("home")
    }

    /// Returns the place for the work.
    pub(super) fn work(&self) -> PathBuf {
        self.folder.join("work")
    }

    /// Tells whether a process waits in it.
    pub(super) fn is_warm(&self) -> bool {
        self.warm.is_some()
    }

    /// Takes out of a command what belongs to one run alone: the process may serve others.
    pub(super) fn share(&self, spec: &mut CommandSpec) {
        spec.label = format!("agent-{}", self.number);
        for name in OF_A_RUN {
            spec.env.remove(name);
        }
        if let Walls::Up(confined) = &mut spec.walls {
            confined.journal = None;
            // The time of each run is kept by whoever carries it out.
            confined.policy.limits.timeout_ms = u64::MAX;
        }
    }

    /// Takes the process that waits, if it is the one that would be started and nothing is wrong with it.
    pub(super) fn take(&mut self, spec: &CommandSpec, bounds: Bounds) -> Option<Warm> {
        let mut warm = self.warm.take()?;
        let is_alike = warm.wanted == Wanted::of(spec) && warm.process.listener.bounds() == bounds;
        if is_alike && warm.process.rests() {
            return Some(warm);
        }
        self.end(warm, false);
        None
    }

    /// Takes note of a process that was started in it.
    pub(super) fn begin(&self, process: Process, spec: &CommandSpec) -> Warm {
        self.pool.board.state().tallies.entry(self.kind.clone()).or_default().started += 1;
        Warm { process, wanted: Wanted::of(spec), tasks: 0, born: Instant::now() }
    }

    /// Counts a turn.
    pub(super) fn count(&self, warm: &mut Warm) {
        let mut state = self.pool.board.state();
        let tally = state.tallies.entry(self.kind.clone()).or_default();
        tally.tasks += 1;
        tally.reused += u64::from(warm.tasks > 0);
        warm.tasks += 1;
    }

    /// Counts a process that ended with its turn, or has to.
    pub(super) fn lost(&self, is_fault: bool) {
        let mut state = self.pool.board.state();
        let tally = state.tallies.entry(self.kind.clone()).or_default();
        tally.retired += 1;
        tally.faults += u64::from(is_fault);
    }

    /// Keeps a process that took its turn well, for the next one.
    pub(super) fn keep(&mut self, warm: Warm) {
        self.warm = Some(warm);
    }

    fn end(&self, warm: Warm, is_fault: bool) {
        self.lost(is_fault);
        self.pool.keeper.keep(async move {
            warm.process.stop();
            warm.process.ended(Duration::ZERO).await;
        });
    }

    /// Moves a run's files into the place for the work, which is emptied of whatever a process left there. A process that
    /// has only a part of them serves nobody else.
    pub(super) async fn move_in(&mut self, files: &Place) -> Result<(), scratchpad::Error> {
        let moved = self.try_move_in(files).await;
        if moved.is_err() {
            self.spoil();
        }
        moved
    }

    async fn try_move_in(&self, files: &Place) -> Result<(), scratchpad::Error> {
        scratchpad::make(&self.work()).await?;
        scratchpad::empty(&self.work()).await?;
        scratchpad::note_owner(&self.folder, files.folder()).await?;
        files.move_to(&self.work()).await
    }

    /// Moves them back. A process that keeps some of them serves nobody else.
    pub(super) async fn move_out(&mut self, files: &Place) -> Result<(), scratchpad::Error> {
        let moved = files.move_back().await;
        if moved.is_err() {
            self.spoil();
        }
        moved
    }

    fn spoil(&mut self) {
        if let Some(warm) = self.warm.take() {
            self.end(warm, true);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(tally) = self.pool.board.state().tallies.get_mut(&self.kind) {
            tally.busy = tally.busy.saturating_sub(1);
        }
        let pool = Arc::clone(&self.pool);
        match self.warm.take() {
            Some(warm) if warm.tasks < pool.options.tasks_max && !pool.closing.is_cancelled() => {
                pool.park(self, warm);
            }
            warm => pool.retire(&self.kind, self.folder.clone(), warm),
        }
    }
}

/// The variables of one run, which a process that serves several does not have.
const OF_A_RUN: [&str; 5] =
    ["SPALLA_RUN_ID", "SPALLA_WORK_ITEM_ID", "SPALLA_ATTEMPT", "SPALLA_TRACE_ID", crate::run::TRACEPARENT];

use PoolOptions as Options;
