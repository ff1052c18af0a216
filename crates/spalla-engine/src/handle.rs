//! The only way in: commands and waiting claims. Reads go straight to the store.

use crate::input::{Input, Parked, is_worth_waiting};
use crate::stages::hand_off;
use crate::waiting_room::WaitingRoom;
use spalla_store::{ExecuteError, Reply, Request, Store, StoreError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

/// A handle to a running engine; cheap to clone.
#[derive(Clone)]
pub struct EngineHandle {
    pub(crate) store: Store,
    pub(crate) inputs: mpsc::Sender<Input>,
    pub(crate) waiting: WaitingRoom,
    /// Hand-offs under way; they outlive the callers who began them.
    pub(crate) hand_offs: TaskTracker,
}

impl EngineHandle {
    /// Executes one request; the answer is on disk when it arrives. Where it makes work eligible and a claimer waits
    /// for some, the claimer gets it in the same transaction.
    pub async fn execute(&self, request: impl Into<Request>) -> Result<Reply, ExecuteError> {
        let request = request.into();
        let company = self.waiting.take(hand_off::company(&request.command));
        if company.is_empty() {
            return self.store.execute(request).await;
        }
        let (answer, answered) = oneshot::channel();
        self.hand_offs.spawn(hand_off::hand_off(self.clone(), request, company, answer));
        answered.await.unwrap_or(Err(ExecuteError::Store(StoreError::Closed)))
    }

    /// Executes a claim or an exchange. Where it brings no run, waits up to `wait` until there is one.
    pub async fn claim(&self, request: impl Into<Request>, wait: Duration) -> Result<Reply, ExecuteError> {
        let (request, rounds) = (request.into(), self.waiting.rounds());
        let first = self.store.execute(request.clone()).await?;
        if wait.is_zero() || !is_worth_waiting(&request, &first) {
            return Ok(first);
        }
        let (answer, answered) = oneshot::channel();
        let deadline = Instant::now() + wait;
        let parked = Parked::new(&request, first.clone(), answer, deadline, rounds);
        let Some(parked) = parked else { return Ok(first) };
        if self.inputs.send(Input::Park(parked)).await.is_err() {
            return Ok(first);
        }
        answered.await.unwrap_or(Err(ExecuteError::Store(StoreError::Closed)))
    }

    /// Returns the store, for reads and its stream of commits.
    pub fn store(&self) -> &Store {
        &self.store
    }
}
