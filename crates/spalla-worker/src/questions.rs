//! Questions to a person in the name of a run: asked once, however often the call has to be repeated, and waited for
//! without using up the run's time.

use crate::backoff::Backoff;
use crate::coordinator::CoordinatorError;
use crate::run::{End, Failure, Run};
use spalla_domain::InfoRequestId;
use spalla_domain::claim::Heartbeat;
use spalla_domain::info_request::InfoField;
use spalla_domain::retry::ErrorClass;
use spalla_domain::secret::Secret;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// The values that a person gave, by the names that were asked for.
pub type Answer = BTreeMap<String, Secret>;

/// What is said to have failed where it does.
const ASKING: &str = "asking a person for values";

/// How often a run that waits for a person looks whether there is an answer.
pub(crate) const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Asks and waits for the answer. A run that is told to end waits no more.
pub(crate) async fn ask(run: &Run<'_>, reason: &str, fields: &[InfoField]) -> Result<Answer, End> {
    let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
    let names = names.join(", ");
    let id = insist(run, ASKING, || run.coordinator.ask(heartbeat(run), reason.to_owned(), fields.to_vec()))
        .await?;
    // A run asks once.
    let _ = run.asked.set(id);
    run.log.say(format!("info request {id} asks for {names}: {reason}; the run waits for the answer")).await;
    let since = Instant::now();
    let answer = wait(run, id).await;
    run.held_since(since);
    if answer.is_ok() {
        run.log.say(format!("info request {id} was answered; the run goes on")).await;
    }
    answer
}

async fn wait(run: &Run<'_>, id: InfoRequestId) -> Result<Answer, End> {
    loop {
        if let Some(answer) = insist(run, ASKING, || run.coordinator.answer(heartbeat(run), id)).await? {
            return Ok(answer);
        }
        pause(run, LOOK_EVERY).await?;
    }
}

/// Returns once more what a person answered to a run that an earlier worker left, without a word.
pub(crate) async fn answered(run: &Run<'_>, id: InfoRequestId) -> Result<Option<Answer>, End> {
    insist(run, "asking again for what a person answered", || run.coordinator.answer(heartbeat(run), id))
        .await
}

/// Returns who holds the run.
pub(crate) fn heartbeat(run: &Run<'_>) -> Heartbeat {
    Heartbeat { run_id: run.assignment.run_id, fencing_token: run.assignment.fencing_token }
}

/// Repeats a call while nobody is there to take it.
pub(crate) async fn insist<T, F>(run: &Run<'_>, doing: &str, call: impl Fn() -> F) -> Result<T, End>
where
    F: Future<Output = Result<T, CoordinatorError>>,
{
    let mut backoff = Backoff::default();
    loop {
        match call().await {
            Ok(answered) => return Ok(answered),
            Err(CoordinatorError::Unavailable { retry_after_ms, .. }) => {
                pause(run, backoff.next(retry_after_ms, &run.options.randomness)).await?;
            }
            Err(error @ (CoordinatorError::Refused { .. } | CoordinatorError::Rejected { .. })) => {
                let message = format!("{doing}: {error}");
                return Err(Failure::new(ErrorClass::Validation, message).into());
            }
        }
    }
}

/// Lets time pass, unless the run is told to end.
pub(crate) async fn pause(run: &Run<'_>, wait: Duration) -> Result<(), End> {
    tokio::select! {
        biased;
        stop = run.control.stopped() => Err(End::Stopped(stop)),
        () = tokio::time::sleep(wait) => Ok(()),
    }
}
