//! Keep time: move what is due, and free or give up what vanished holders held.

use super::complete::{finish, record};
use super::{artifacts, messages, run_documents, schedules, starvation};
use crate::batch::Context;
use crate::command::{Command, Request};
use crate::desk::{Answer, Desk};
use crate::document::Kind;
use crate::error::ExecuteError;
use crate::tx::{Result, Tx};
use spalla_domain::queue::{self, Place, Standing, Step};
use spalla_domain::run::{self, LiveRun, Outcome};
use spalla_domain::{ArtifactId, RunId, WorkItemId, WorkerId};

/// How many rows of each kind one sweep moves, so that no batch grows without bound.
const SWEEP_MAX: u32 = 1_000;

/// Tells whether the commands of a batch look for eligible items while something may be due.
pub(crate) fn is_needed(context: Context<'_>, requests: &[Request]) -> bool {
    let looks = |command: &Command| match command {
        // A tick looks in any case: another server's leases are not known here.
        Command::Tick { external_only: false, .. } => true,
        // Keeping time is these two's own work, which they answer for.
        Command::KeepTime { .. } | Command::ForgetWorker { .. } => false,
        command => super::picks(command) && context.timekeeper.is_due(context.now),
    };
    requests.iter().any(|request| looks(&request.command))
}

/// Sweeps once for all commands of a batch.
pub(crate) async fn sweep<T: Tx>(desk: &mut Desk<'_, T>) -> Result<()> {
    keep_time(desk, SWEEP_MAX).await.map(drop)
}

/// Moves up to `max` due and as many overdue items; returns how many it moved.
pub(crate) async fn keep_time<T: Tx>(desk: &mut Desk<'_, T>, max: u32) -> Result<u32> {
    let now = desk.context.now;
    desk.write_rows().await?;
    let due = desk.tx.pick_due(now, max).await?;
    let overdue = desk.tx.pick_overdue(now, max).await?;
    let mut moved = 0;
    for id in desk.adopt(due).await? {
        moved += u32::from(refused_is_false(come_due(desk, id).await)?);
    }
    for id in desk.adopt(overdue).await? {
        moved += u32::from(refused_is_false(expire(desk, id).await)?);
    }
    let documents = desk.tx.pick_due_documents(now, max).await?;
    for document in documents {
        match document.kind {
            Kind::Schedule => moved += u32::from(schedules::come_due(desk, &document).await?),
            Kind::Starvation => moved += u32::from(starvation::come_due(desk, &document).await?),
            Kind::Upload => {
                // Nobody sends the rest of it any more.
                artifacts::forget(desk, ArtifactId(document.id));
                moved += 1;
            }
            Kind::Message => moved += u32::from(messages::come_due(desk, &document).await?),
            Kind::Refusals | Kind::RunEvents => {
                moved += u32::from(run_documents::come_due(desk, document).await?);
            }
            other => tracing::warn!(?other, id = document.id, "a document is due and nobody waits for it"),
        }
    }
    desk.write_rows().await?;
    let look = desk.context.timekeeper.look();
    let next = desk.tx.next_moment().await?;
    look.found(next);
    Ok(moved)
}

fn refused_is_false(answer: Answer<bool>) -> Result<bool> {
    match answer {
        Ok(moved) => Ok(moved),
        Err(ExecuteError::Refused(_)) => Ok(false),
        Err(ExecuteError::Store(error)) => Err(error),
    }
}

async fn come_due<T: Tx>(desk: &mut Desk<'_, T>, id: WorkItemId) -> Answer<bool> {
    let now = desk.context.now;
    let item = desk.item(id).await?;
    let step = queue::transition(&item.place, item.standing, queue::Command::Due, now)?;
    let moved = step.place != item.place;
    desk.step(id, step);
    Ok(moved)
}

/// Frees the run of an item whose holder's time is over, or gives the run up. Tells whether it did either.
pub(crate) async fn expire<T: Tx>(desk: &mut Desk<'_, T>, id: WorkItemId) -> Answer<bool> {
    let item = desk.item(id).await?.clone();
    match item.live_run() {
        Some(live) => expire_run(desk, id, live.clone()).await,
        None => Ok(false),
    }
}

async fn expire_run<T: Tx>(desk: &mut Desk<'_, T>, id: WorkItemId, live: LiveRun) -> Answer<bool> {
    let item = desk.item(id).await?.clone();
    let takeovers_max = desk.context.settings.takeovers_max;
    let command = run::Command::Expire { takeovers_max };
    let step = run::transition(&live, item.standing.attempt, item.standing.fence, command, desk.context.now)?;
    match step.next {
        run::Next::Live(next) => {
            let moved = next != live;
            let standing = Standing { fence: step.fence, ..item.standing };
            desk.step(id, Step { place: Place::Leased(next), standing, facts: step.facts });
            Ok(moved)
        }
        run::Next::Ended(outcome) => {
            debug_assert_eq!(outcome, Outcome::Lost);
            let record = record(desk.context.now, &item, &live, outcome, None);
            finish(desk, id, record, step.facts).await?;
            Ok(true)
        }
    }
}

/// Ends at once the leases of a worker that is known to be gone, but those of some runs.
pub(crate) async fn forget_worker<T: Tx>(
    desk: &mut Desk<'_, T>,
    worker: &WorkerId,
    but: &[RunId],
) -> Result<u32> {
    desk.write_rows().await?;
    let held = desk.tx.pick_held_by(worker).await?;
    let mut moved = 0;
    for id in desk.adopt(held).await? {
        moved += u32::from(refused_is_false(forget(desk, id, but).await)?);
    }
    Ok(moved)
}

async fn forget<T: Tx>(desk: &mut Desk<'_, T>, id: WorkItemId, but: &[RunId]) -> Answer<bool> {
    let now = desk.context.now;
    let live = desk.item(id).await?.live_run().cloned();
    let Some(mut live) = live.filter(|live| !but.contains(&live.id)) else { return Ok(false) };
    let Some(lease) = &mut live.lease else { return Ok(false) };
    lease.until = lease.until.min(now);
    expire_run(desk, id, live).await
}
