//! Hand-off: what makes work eligible takes waiting claimers along into its transaction, so that the work starts after
//! one commit instead of two.

use super::claim::{answer_otherwise, deliver};
use crate::handle::EngineHandle;
use crate::input::{Input, Parked};
use spalla_store::{Command, ExecuteError, Reply, Request, StoreError};
use tokio::sync::oneshot;

/// How many claimers one request takes along at most; the others are served after the commit.
const COMPANY_MAX: usize = 16;

/// Returns how many claimers may find something through a command.
pub(crate) fn company(command: &Command) -> usize {
    match command {
        Command::CreateWorkItems { items, enqueue: true } => items.len().min(COMPANY_MAX),
        Command::Enqueue { delay_ms: 0, .. } | Command::Start { .. } => 1,
        _ => 0,
    }
}

/// Executes a request together with the claims of its company.
pub(crate) async fn hand_off(
    engine: EngineHandle,
    request: Request,
    company: Vec<Parked>,
    answer: oneshot::Sender<Result<Reply, ExecuteError>>,
) {
    let rounds = engine.waiting.rounds();
    let claims = company.iter().map(Parked::request);
    let requests: Vec<_> = std::iter::once(request).chain(claims).collect();
    let mut outcomes = engine.store.execute_all(requests).await.into_iter();
    // Whoever went away needs no answer.
    let _ = answer.send(outcomes.next().unwrap_or(Err(ExecuteError::Store(StoreError::Closed))));
    for (mut parked, outcome) in company.into_iter().zip(outcomes) {
        parked.rounds = rounds;
        match outcome {
            Ok(Reply::Claimed(runs)) if runs.is_empty() => wait_on(&engine, parked).await,
            Ok(claimed) => deliver(&engine.store, parked, claimed).await,
            Err(error) => {
                tracing::warn!(%error, "handing work to a waiting claimer");
                wait_on(&engine, parked).await;
            }
        }
    }
}

/// Lets a claimer wait on: by way of the loop, which looks once more where it has missed a round.
async fn wait_on(engine: &EngineHandle, parked: Parked) {
    if let Err(ended) = engine.inputs.send(Input::Park(parked)).await
        && let Input::Park(parked) = ended.0
    {
        answer_otherwise(vec![parked]);
    }
}
