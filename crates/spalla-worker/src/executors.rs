//! What carries runs out: steps in a shell, or a built-in agent.

pub(crate) mod agent;
pub(crate) mod recipe;

use crate::control::Control;
use crate::coordinator::Coordinator;
use crate::credentials;
use crate::journals;
use crate::refusals::report_while;
use crate::run::{Failure, Finished, Run};
use crate::run_log::RunLog;
use crate::sandbox::Sandbox;
use crate::scratchpad::{self, Scratchpads};
use crate::worker::Options;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use spalla_domain::claim::Assignment;
use spalla_domain::retry::ErrorClass;
use spalla_domain::work_item::Executor;
use spalla_sandbox::Preset;
use std::sync::Arc;

/// Carries runs out. The shipped one starts processes; the simulator's only lets time pass.
pub trait Execute: Send + Sync + 'static {
    /// Carries one run out to its end, which is never an error: whatever goes wrong is how the run ended.
    fn execute<'a>(
        &'a self,
        assignment: &'a Assignment,
        log: &'a RunLog,
        control: &'a Control,
    ) -> BoxFuture<'a, Finished>;
}

/// The shipped executors: every command that they start goes through the sandbox.
pub(crate) struct Executors {
    options: Options,
    coordinator: Arc<dyn Coordinator>,
    sandbox: Sandbox,
    scratchpads: Scratchpads,
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
        if let Err(error) = journals::open(&options.data_dir, (options.clock)()) {
            tracing::warn!(%error, "the folder of the runs' journals can't be used");
        }
        let sandbox = Sandbox::new(options.supervisor.clone());
        Ok(Self { options: options.clone(), coordinator, sandbox, scratchpads })
    }
}

/// Refuses what would run behind walls that hold nothing, unless the operator wants none anyway.
fn distrusted(options: &Options) -> Option<Failure> {
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
            let means = (&self.sandbox, &self.scratchpads);
            let run = Run::begin(assignment, (log, control), &self.options, means, &*self.coordinator);
            if let Some(failure) = distrusted(&self.options) {
                return run.finish(failure.into());
            }
            run.tell_untold().await;
            let going_on = async {
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
            let end = Box::pin(report_while(&run, going_on)).await;
            run.forget_journal();
            run.finish(end)
        }
        .boxed()
    }
}
