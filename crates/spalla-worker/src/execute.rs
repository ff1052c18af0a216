//! One run from end to end: its log is opened, its executor carries it out, and its end is put into words. Nothing
//! in here fails: whatever goes wrong is the run's end, with the reason.

use crate::control::{Control, ControlSender, Stop};
use crate::run::{End, Failure};
use crate::run_log::{RunLog, Shipped, run_log};
use crate::spool::Spool;
use crate::worker::Shared;
use serde_json::value::{RawValue, to_raw_value};
use spalla_domain::claim::{Assignment, Completion, RunError};
use spalla_domain::retry::ErrorClass;
use std::sync::Arc;

/// What becomes of the lease.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The run ended; the server is to know how.
    Completed(Box<Completion>),
    /// It did not; somebody else is to execute it.
    HandBack,
    /// Nobody is to be told anything.
    LeaseLost,
}

/// Executes a run. When this returns, none of its processes is left, and its log is on the server.
pub(crate) async fn execute(
    shared: Arc<Shared>,
    assignment: Assignment,
    sender: ControlSender,
    control: Control,
) -> Outcome {
    let options = &shared.options;
    let spool = Spool::new(options.data_dir.join("spool"), options.limits.spool_memory_bytes);
    let (log, shipper) = run_log(
        &assignment,
        options.limits.output_bytes_max,
        spool,
        (Arc::clone(&shared.coordinator), sender),
        (Arc::clone(&options.clock), Arc::clone(&options.randomness)),
    );
    let carried_out = Box::pin(carry_out(&shared, &assignment, log, &control));
    let (end, shipped) = tokio::join!(carried_out, shipper.ship());
    outcome(&assignment, end, shipped, control.stop())
}

/// Carries the run out. The log is closed by being dropped at the end.
async fn carry_out(shared: &Shared, assignment: &Assignment, log: RunLog, control: &Control) -> End {
    let (worker, token) = (&shared.options.worker_id, assignment.fencing_token);
    log.say(format!("worker {worker} executes the run under token {token}")).await;
    let end = shared.executors.execute(assignment, &log, control).await;
    log.say(last_words(&end)).await;
    end
}

fn last_words(end: &End) -> String {
    match end {
        End::Succeeded { .. } => "the run succeeded".into(),
        End::Failed(failure) => format!("the run failed: {}", failure.error.message),
        End::Stopped(Stop::Cancelled) => "the run was cancelled; its processes are ended".into(),
        End::Stopped(Stop::Drained) => {
            "the worker is going; the run is handed back, its processes are ended".into()
        }
        End::Stopped(Stop::Broken(reason) | Stop::LeaseLost(reason)) => {
            format!("the run was ended: {reason}")
        }
    }
}

fn outcome(assignment: &Assignment, end: End, shipped: Shipped, stop: Option<Stop>) -> Outcome {
    // Whatever came of it, without its log and its lease it does not count.
    let end = match (shipped, stop) {
        (_, Some(stop @ Stop::LeaseLost(_))) | (Shipped::Ended, Some(stop)) => End::Stopped(stop),
        (Shipped::Whole, _) | (Shipped::Ended, None) => end,
    };
    let completion = |success, exit_code, result, error| {
        Outcome::Completed(Box::new(Completion {
            run_id: assignment.run_id,
            fencing_token: assignment.fencing_token,
            success,
            exit_code,
            result,
            usage: None,
            error,
        }))
    };
    let failed = |class, message: String| completion(false, None, None, Some(RunError { class, message }));
    match end {
        End::Succeeded { result } => completion(true, Some(0), raw(&result), None),
        End::Failed(Failure { error, exit_code, result }) => {
            completion(false, exit_code, result.as_ref().and_then(raw), Some(error))
        }
        End::Stopped(Stop::Cancelled) => failed(ErrorClass::Failed, "the run was cancelled".into()),
        End::Stopped(Stop::Broken(reason)) => failed(ErrorClass::System, reason),
        End::Stopped(Stop::Drained) => Outcome::HandBack,
        End::Stopped(Stop::LeaseLost(_)) => Outcome::LeaseLost,
    }
}

fn raw(value: &serde_json::Value) -> Option<Box<RawValue>> {
    to_raw_value(value).ok()
}
