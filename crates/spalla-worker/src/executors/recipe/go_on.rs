//! Carries a run on that an earlier worker left: takes its step up again, or what is known of how it ended, and goes on
//! with the steps after it.

use super::record::Record;
use super::state::{AttemptState, State};
use super::step::{Place, Taken};
use super::{cloud, run_steps};
use crate::executors::distrusted;
use crate::output::follow;
use crate::run::{End, Interruption, Run};
use crate::sandbox::{TakenUp, Terms};
use spalla_domain::InfoRequestId;
use std::path::PathBuf;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Why a run is lost whose step nobody can say anything of.
const GONE: &str =
    "the step's supervisor is gone, and nobody knows how the step ended; nothing of it is left";

/// Carries the run on from where it was written down.
pub(super) async fn go_on(run: &Run<'_>, state: State) -> End {
    let State { place, recipe, progress, step, attempt, asked, .. } = state;
    let scratchpad = run.scratchpads.take_up(place.folder, place.commit, place.borrowed);
    // First of all: until somebody is there, the step's grace runs.
    let limit_ms = recipe.steps.get(step.saturating_sub(1) as usize).and_then(|step| step.timeout_ms);
    let output = attempt.as_ref().map(|attempt| attempt.survival.output());
    let taken = match attempt {
        None => Ok(None),
        Some(attempt) => take_up(run, attempt, limit_ms).await.map(Some),
    };
    // Nothing new is begun for a run that may be somebody else's by now.
    run.control.confirmed().await;
    if let Some(end) = refusal(run, asked).await {
        run.log.let_server_number().await;
        let_go(taken.ok().flatten()).await;
        return end;
    }
    let place = Place { scratchpad: &scratchpad, tools: &place.tools };
    let mut record = Record { run, recipe: &recipe, place: &place, progress };
    match taken {
        Ok(taken) => run_steps(&mut record, step, taken).await,
        Err(lost) => {
            read_rest(run, step, output).await;
            run.end_by(run.interruption().unwrap_or(lost))
        }
    }
}

/// Returns why the run can't go on, whatever became of its step.
async fn refusal(run: &Run<'_>, asked: Option<InfoRequestId>) -> Option<End> {
    if let Some(failure) = distrusted(run.options) {
        return Some(failure.into());
    }
    let why = cloud::prepare_again(run, asked?).await.err()?;
    let lost =
        || Interruption::Lost(format!("{why}; the step was ended, since its output could not be masked"));
    Some(run.end_by(run.interruption().unwrap_or_else(lost)))
}

/// Reads what is there of the output of a step that nobody can say anything of.
async fn read_rest(run: &Run<'_>, step: u32, output: Option<PathBuf>) {
    let over = CancellationToken::new();
    over.cancel();
    let read = match output {
        Some(output) => follow(&output, over, step, run.log).await.is_ok(),
        None => false,
    };
    if !read {
        run.log.let_server_number().await;
    }
}

/// Takes the step's command up. Where nobody says how it ended, the run is lost.
async fn take_up(run: &Run<'_>, attempt: AttemptState, limit_ms: Option<i64>) -> Result<Taken, Interruption> {
    let passed = run.since(attempt.began_at).elapsed();
    let limit = limit_ms.map(|limit| Duration::from_millis(limit.max(0).unsigned_abs()));
    let terms = Terms {
        timeout: limit.map(|limit| limit.saturating_sub(passed)),
        grace: Duration::from_millis(run.options.limits.grace_ms.max(0).unsigned_abs()),
        tree: (!attempt.is_walled).then(|| attempt.survival.name.clone()),
        refusals: run.refusals.clone(),
    };
    match run.sandbox.take_up(&attempt.survival, &terms).await {
        TakenUp::Life(life) => Ok(Taken { life: Some(life), attempt }),
        TakenUp::NeverBegan => Ok(Taken { life: None, attempt }),
        TakenUp::Gone => Err(Interruption::Lost(GONE.into())),
    }
}

async fn let_go(taken: Option<Taken>) {
    if let Some(life) = taken.and_then(|taken| taken.life) {
        life.ended(std::future::ready(())).await;
    }
}
