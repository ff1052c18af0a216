//! Cancel: a person stops a run and with it its item.

use super::claim::over;
use super::complete::{finish, record};
use crate::command::Reply;
use crate::desk::{Answer, Desk, Run};
use crate::tx::Tx;
use spalla_domain::RunId;
use spalla_domain::run::{self, Outcome};

/// Stops a run. Its holder learns of it with the next heartbeat; doing it twice is once.
pub(crate) async fn cancel_run<T: Tx>(desk: &mut Desk<'_, T>, run_id: RunId) -> Answer<Reply> {
    let id = match desk.run(run_id).await? {
        Run::Live(id) => id,
        Run::Ended(run) if run.outcome == Outcome::Cancelled => return Ok(Reply::Run(run_id)),
        Run::Ended(run) => return Err(over(run_id, run.outcome.status()).into()),
    };
    let item = desk.item(id).await?.clone();
    let Some(live) = item.live_run() else { return Err(over(run_id, run::Status::Lost).into()) };
    let step = run::transition(
        live,
        item.standing.attempt,
        item.standing.fence,
        run::Command::Cancel,
        desk.context.now,
    )?;
    let record = record(desk.context.now, &item, live, Outcome::Cancelled, None);
    finish(desk, id, record, step.facts).await?;
    Ok(Reply::Run(run_id))
}
