//! Heartbeat and hand-back: what a holder says about its lease.

use super::claim::{over, over_to};
use crate::command::Reply;
use crate::desk::{Answer, Desk, Run};
use crate::tx::Tx;
use spalla_domain::claim::Heartbeat;
#[cfg(debug_assertions)]
use spalla_domain::plant::{self, Plant};
use spalla_domain::queue::{Place, Standing, Step};
use spalla_domain::run::{self, Outcome};
use spalla_domain::{RunId, WorkItemId, WorkerId};

/// Extends a lease. The holder of a cancelled run is told so once more for each time it asks.
pub(crate) async fn heartbeat<T: Tx>(
    desk: &mut Desk<'_, T>,
    heartbeat: Heartbeat,
    worker: &WorkerId,
    ttl_ms: i64,
) -> Answer<Reply> {
    let Heartbeat { run_id, fencing_token: fence } = heartbeat;
    let id = match desk.run(run_id).await? {
        Run::Live(id) => id,
        #[cfg(debug_assertions)]
        Run::Ended(run) if run.outcome == Outcome::Cancelled && plant::is(Plant::UnfencedCancellation) => {
            return Ok(Reply::Heartbeat { cancel: true, pause: false });
        }
        Run::Ended(run) if run.outcome == Outcome::Cancelled && run.fence == fence => {
            return Ok(Reply::Heartbeat { cancel: true, pause: false });
        }
        Run::Ended(run) => return Err(over_to(fence, &run).into()),
    };
    desk.hear(worker, None);
    change_run(desk, id, run_id, run::Command::Heartbeat { worker: worker.clone(), fence, ttl_ms }).await?;
    let pause = desk.item(id).await?.live_run().is_some_and(|run| run.paused);
    Ok(Reply::Heartbeat { cancel: false, pause })
}

/// Gives a run back unfinished: whoever claims next takes it, and no takeover is counted.
pub(crate) async fn hand_back<T: Tx>(desk: &mut Desk<'_, T>, heartbeat: Heartbeat) -> Answer<Reply> {
    let Heartbeat { run_id, fencing_token: fence } = heartbeat;
    let id = match desk.run(run_id).await? {
        Run::Live(id) => id,
        Run::Ended(run) => return Err(over_to(fence, &run).into()),
    };
    change_run(desk, id, run_id, run::Command::HandBack { fence }).await?;
    Ok(Reply::Run(run_id))
}

/// Lets a rule change a run that is not over and goes on.
pub(crate) async fn change_run<T: Tx>(
    desk: &mut Desk<'_, T>,
    id: WorkItemId,
    run_id: RunId,
    command: run::Command,
) -> Answer<()> {
    let item = desk.item(id).await?.clone();
    let Some(live) = item.live_run() else { return Err(over(run_id, run::Status::Lost).into()) };
    let step = run::transition(live, item.standing.attempt, item.standing.fence, command, desk.context.now)?;
    if let run::Next::Live(live) = step.next {
        let standing = Standing { fence: step.fence, ..item.standing };
        desk.step(id, Step { place: Place::Leased(live), standing, facts: step.facts });
    }
    Ok(())
}
