//! The only way in: commands and waiting claims. Reads go straight to the store.

use crate::input::{Input, Parked, is_worth_waiting};
use spalla_store::{ExecuteError, Reply, Request, Store, StoreError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// A handle to a running engine; cheap to clone.
#[derive(Clone)]
pub struct EngineHandle {
    pub(crate) store: Store,
    pub(crate) inputs: mpsc::Sender<Input>,
}

impl EngineHandle {
    /// Executes one request; the answer is on disk when it arrives.
    pub async fn execute(&self, request: impl Into<Request>) -> Result<Reply, ExecuteError> {
        self.store.execute(request).await
    }

    /// Executes a claim or an exchange. Where it brings no run, waits up to `wait` until there is one.
    pub async fn claim(&self, request: impl Into<Request>, wait: Duration) -> Result<Reply, ExecuteError> {
        let request = request.into();
        let first = self.store.execute(request.clone()).await?;
        if wait.is_zero() || !is_worth_waiting(&request, &first) {
            return Ok(first);
        }
        let (answer, answered) = oneshot::channel();
        let Some(parked) = Parked::new(&request, first.clone(), answer) else { return Ok(first) };
        if self.inputs.send(Input::Park { parked, wait }).await.is_err() {
            return Ok(first);
        }
        answered.await.unwrap_or(Err(ExecuteError::Store(StoreError::Closed)))
    }

    /// Returns the store, for reads and its stream of commits.
    pub fn store(&self) -> &Store {
        &self.store
    }
}
