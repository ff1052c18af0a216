//! One run from end to end: its log is opened, its executor carries it out, and its end is put into words. Nothing
//! in here fails: whatever goes wrong is the run's end, with the reason.

use crate::backoff::Backoff;
use crate::control::{Control, ControlSender, Stop};
use crate::coordinator::CoordinatorError;
use crate::limits;
use crate::run::{End, Failure, Finished};
use crate::run_log::{RunLog, Shipped, run_log};
use crate::spool::Spool;
use crate::worker::Shared;
use serde_json::value::{RawValue, to_raw_value};
use spalla_domain::claim::{Assignment, Completion, Heartbeat, RunError};
use spalla_domain::limits::Limit;
use spalla_domain::retry::ErrorClass;
use std::sync::Arc;

/// What becomes of the lease.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The run ended; the server is to know how.
    Completed(Box<Completion>),
    /// It did not; somebody else is to execute it.
    HandBack,
    /// It waits for a person: it is given back at once.
    Held,
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
    let held = limits::of_run(options, &assignment);
    let bytes = |limit| held.value(limit).unwrap_or(u64::MAX);
    let spool = Spool::new(options.data_dir.join("spool"), options.limits.spool_memory_bytes);
    let (log, shipper) = run_log(
        &assignment,
        ([bytes(Limit::OutputBytes), bytes(Limit::LineBytes)], options.is_terse),
        spool,
        (Arc::clone(&shared.coordinator), sender),
        (Arc::clone(&options.clock), Arc::clone(&options.randomness)),
    );
    let carried_out = Box::pin(carry_out(&shared, &assignment, log, &control));
    let (finished, shipped) = tokio::join!(carried_out, shipper.ship());
    match outcome(&assignment, finished, shipped, control.stop()) {
        Outcome::Held => give_back(&shared, &assignment, &control).await,
        outcome => outcome,
    }
}

/// Gives a run back that waits for a person. Where nobody takes it, that is tried again until the worker goes.
async fn give_back(shared: &Shared, assignment: &Assignment, control: &Control) -> Outcome {
    let lease = Heartbeat { run_id: assignment.run_id, fencing_token: assignment.fencing_token };
    let mut backoff = Backoff::default();
    loop {
        match shared.coordinator.hand_back(vec![lease]).await {
            Ok(()) => return Outcome::Held,
            Err(CoordinatorError::Unavailable { retry_after_ms, .. }) => {
                let wait = backoff.next(retry_after_ms, &shared.options.randomness);
                tokio::select! {
                    _ = control.stopped() => return Outcome::HandBack,
                    () = tokio::time::sleep(wait) => {}
                }
            }
            Err(error) => {
                tracing::warn!(run = %assignment.run_id, %error, "the run could not be given back; its lease will expire");
                return Outcome::LeaseLost;
            }
        }
    }
}

/// Carries the run out. The log is closed by being dropped at the end.
async fn carry_out(shared: &Shared, assignment: &Assignment, log: RunLog, control: &Control) -> Finished {
    let (worker, token) = (&shared.options.worker_id, assignment.fencing_token);
    let held = limits::of_run(&shared.options, assignment);
    // The log of a run that goes on does so as well: what was said is not said again.
    if !shared.executors.goes_on(assignment) {
        log.remark(format!("worker {worker} executes the run under token {token}")).await;
    }
    if !shared.executors.goes_on(assignment) && held.is_narrowed() {
        log.remark(format!("limits: {held}")).await;
    }
    let finished = shared.executors.execute(assignment, &log, control).await;
    log.say(last_words(&finished.end)).await;
    finished
}

fn last_words(end: &End) -> String {
    match end {
        End::Succeeded { .. } => "the run succeeded".into(),
        End::Failed(failure) => format!("the run failed: {}", failure.error.message),
        End::Held => "the run waits for a person without a worker".into(),
        End::Stopped(Stop::Cancelled) => "the run was cancelled; its processes are ended".into(),
        End::Stopped(Stop::Drained) => {
            "the worker is going; the run is handed back, its processes are ended".into()
        }
        End::Stopped(Stop::Broken(reason) | Stop::LeaseLost(reason)) => {
            format!("the run was ended: {reason}")
        }
    }
}

fn outcome(assignment: &Assignment, finished: Finished, shipped: Shipped, stop: Option<Stop>) -> Outcome {
    let Finished { end, sandbox, usage } = finished;
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
            usage: usage.clone(),
            error,
            sandbox: sandbox.clone(),
        }))
    };
    let failed = |class, message: String| completion(false, None, None, Some(RunError::new(class, message)));
    match end {
        End::Succeeded { result } => completion(true, Some(0), raw(&result), None),
        End::Failed(Failure { error, exit_code, result }) => {
            completion(false, exit_code, result.as_ref().and_then(raw), Some(error))
        }
        End::Held => Outcome::Held,
        End::Stopped(Stop::Cancelled) => failed(ErrorClass::Failed, "the run was cancelled".into()),
        End::Stopped(Stop::Broken(reason)) => failed(ErrorClass::System, reason),
        End::Stopped(Stop::Drained) => Outcome::HandBack,
        End::Stopped(Stop::LeaseLost(_)) => Outcome::LeaseLost,
    }
}

fn raw(value: &serde_json::Value) -> Option<Box<RawValue>> {
    to_raw_value(value).ok()
}
