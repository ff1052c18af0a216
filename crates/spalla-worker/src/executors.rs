//! What carries runs out: steps in a shell, or a built-in agent.

pub(crate) mod agent;
pub(crate) mod recipe;

use crate::control::Control;
use crate::coordinator::Coordinator;
use crate::credentials;
use crate::journals;
use crate::left_behind;
use crate::refusals::report_while;
use crate::run::{Failure, Finished, Run, label_of};
use crate::run_log::RunLog;
use crate::sandbox::Sandbox;
use crate::scratchpad::{self, Scratchpads};
use crate::telling::tell_while;
use crate::worker::Options;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use recipe::State;
use spalla_domain::claim::{Assignment, Heartbeat};
use spalla_domain::retry::ErrorClass;
use spalla_domain::work_item::Executor;
use spalla_domain::{Fence, RunId};
use spalla_sandbox::Preset;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Carries runs out. The shipped one starts processes; the simulator's only lets time pass.
pub trait Execute: Send + Sync + 'static {
    /// Carries one run out to its end, which is never an error: whatever goes wrong is how the run ended.
    fn execute<'a>(
        &'a self,
        assignment: &'a Assignment,
        log: &'a RunLog,
        control: &'a Control,
    ) -> BoxFuture<'a, Finished>;

    /// Makes ready by what the next run starts sooner, whichever it is.
    fn get_ready(&self) {}

    /// Ends what was made ready.
    fn leave(&self) -> BoxFuture<'_, ()> {
        std::future::ready(()).boxed()
    }

    /// Returns the runs that an earlier worker left to be carried on, each with the token that it had and the number at
    /// which its log goes on.
    fn left_behind(&self) -> Vec<Assignment> {
        Vec::new()
    }

    /// Tells whether a run is one of these, and was not carried on yet.
    fn goes_on(&self, _assignment: &Assignment) -> bool {
        false
    }

    /// Ends what goes on beside the runs, once they are over; every process of it is gone then.
    fn close(&self) -> BoxFuture<'_, ()> {
        std::future::ready(()).boxed()
    }

    /// The server knows how a run ended, or nobody will tell it: what would let another worker carry it on may go.
    fn forget(&self, _run: &Heartbeat) {}
}

/// The shipped executors: every command that they start goes through the sandbox.
pub(crate) struct Executors {
    options: Options,
    coordinator: Arc<dyn Coordinator>,
    sandbox: Sandbox,
    scratchpads: Scratchpads,
    agents: agent::Memory,
    left_behind: Mutex<BTreeMap<(RunId, Fence), State>>,
}

impl Executors {
    /// Opens the folders that runs work in.
    pub(crate) fn open(
        options: &Options,
        coordinator: Arc<dyn Coordinator>,
    ) -> Result<Self, scratchpad::Error> {
        let scratchpads = Scratchpads::open(&options.data_dir)?;
        if let Err(error) = credentials::sweep(&options.data_dir) {
            tracing::warn!(%error, "files that an earlier worker's runs left behind were not removed");
        }
        if let Err(error) = agent::sweep(&options.data_dir) {
            tracing::warn!(%error, "the homes of agents that an earlier worker's runs left behind were not removed");
        }
        if let Err(error) = journals::open(&options.data_dir, (options.clock)()) {
            tracing::warn!(%error, "the folder of the runs' journals can't be used");
        }
        let sandbox = Sandbox::new(options.supervisor.clone());
        let left = left_behind::find(&options.data_dir).into_iter();
        let left = left.map(|state| (key_of(&state.assignment), state)).collect();
        let left_behind = Mutex::new(left);
        let agents = agent::Memory::open(&options.data_dir, options.pool.clone(), options.pool_board.clone());
        Ok(Self { options: options.clone(), coordinator, sandbox, scratchpads, agents, left_behind })
    }

    fn left(&self) -> MutexGuard<'_, BTreeMap<(RunId, Fence), State>> {
        self.left_behind.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key_of(assignment: &Assignment) -> (RunId, Fence) {
    (assignment.run_id, assignment.fencing_token)
}

/// Refuses what would run behind walls that hold nothing, unless the operator wants none anyway.
pub(crate) fn distrusted(options: &Options) -> Option<Failure> {
    let wants_walls = options.sandbox.preset != Some(Preset::None);
    let why = options.distrust.get().filter(|_| wants_walls)?;
    let message =
        format!("refused to run: the sandbox does not hold on this worker: {why}; see `spalla doctor`");
    Some(Failure::new(ErrorClass::Validation, message))
}

impl Execute for Executors {
    fn execute<'a>(
        &'a self,
        assignment: &'a Assignment,
        log: &'a RunLog,
        control: &'a Control,
    ) -> BoxFuture<'a, Finished> {
        async move {
            let means = (&self.sandbox, &self.scratchpads, &self.agents);
            let mut run = Run::begin(assignment, (log, control), &self.options, means, &*self.coordinator);
            let left = self.left().remove(&key_of(assignment));
            match &left {
                Some(state) => run.go_on_from(state),
                None => match distrusted(&self.options) {
                    Some(failure) => return run.finish(failure.into()),
                    None => run.tell_untold().await,
                },
            }
            let going_on = async {
                if let Some(state) = left {
                    return recipe::go_on(&run, state).await;
                }
                match assignment.executor {
                    Executor::Recipe => recipe::execute(&run).await,
                    Executor::Agent => agent::execute(&run).await,
                    Executor::External => {
                        let message =
                            "the executor is external: the run is completed through the API, not by a worker";
                        Failure::new(ErrorClass::Validation, message).into()
                    }
                }
            };
            let reported = report_while(&run, going_on);
            let end = Box::pin(tell_while(&run, reported)).await;
            run.forget_journal();
            run.finish(end)
        }
        .boxed()
    }

    fn get_ready(&self) {
        if self.options.sandbox.preset != Some(Preset::None) {
            self.sandbox.get_ready();
        }
    }

    fn leave(&self) -> BoxFuture<'_, ()> {
        self.sandbox.leave().boxed()
    }

    fn left_behind(&self) -> Vec<Assignment> {
        self.left().values().map(|state| state.assignment.clone()).collect()
    }

    fn goes_on(&self, assignment: &Assignment) -> bool {
        self.left().contains_key(&key_of(assignment))
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.agents.close().boxed()
    }

    fn forget(&self, run: &Heartbeat) {
        left_behind::forget(&left_behind::folder_of(&self.options.data_dir, &label_of(run)));
    }
}
