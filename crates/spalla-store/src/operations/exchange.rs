//! Exchange: what busy workers use, completing a batch, extending leases and claiming the next runs at once.

use super::{complete, lease, scope};
use crate::command::{Reply, RunEnd};
use crate::desk::{Answer, Desk};
use crate::error::ExecuteError;
use crate::tx::Tx;
use spalla_domain::claim::{
    ClaimRequest, Completion, Exchange, ExchangeReply, Heartbeat, HeartbeatAnswer, Refused,
};
use spalla_domain::{Refusal, RunId};

/// Completes and extends; a refusal of one does not touch the others.
pub(crate) async fn settle<T: Tx>(desk: &mut Desk<'_, T>, exchange: &Exchange) -> Answer<Reply> {
    let mut reply = ExchangeReply::default();
    for completion in &exchange.completed {
        match complete_own(desk, completion).await {
            Ok(run_id) => reply.completed.push(run_id),
            Err(ExecuteError::Refused(refusal)) => reply.refused.push(refused(completion.run_id, &refusal)),
            Err(error @ ExecuteError::Store(_)) => return Err(error),
        }
    }
    for heartbeat in &exchange.heartbeats {
        let claim = &exchange.claim;
        match extend_own(desk, *heartbeat, claim).await {
            Ok(Reply::Heartbeat { cancel, pause }) => {
                reply.heartbeats.push(HeartbeatAnswer { run_id: heartbeat.run_id, cancel, pause });
            }
            Ok(_) => {}
            Err(ExecuteError::Refused(refusal)) => reply.refused.push(refused(heartbeat.run_id, &refusal)),
            Err(error @ ExecuteError::Store(_)) => return Err(error),
        }
    }
    Ok(Reply::Exchanged(Box::new(reply)))
}

async fn complete_own<T: Tx>(desk: &mut Desk<'_, T>, completion: &Completion) -> Answer<RunId> {
    scope::check_held(desk, completion.run_id).await?;
    complete::complete(desk, &RunEnd::from(completion.clone())).await
}

async fn extend_own<T: Tx>(
    desk: &mut Desk<'_, T>,
    heartbeat: Heartbeat,
    claim: &ClaimRequest,
) -> Answer<Reply> {
    scope::check_held(desk, heartbeat.run_id).await?;
    lease::heartbeat(desk, heartbeat, &claim.worker_id, claim.ttl_ms).await
}

fn refused(run_id: RunId, refusal: &Refusal) -> Refused {
    Refused { run_id, reason: refusal.code.as_str().to_owned() }
}
