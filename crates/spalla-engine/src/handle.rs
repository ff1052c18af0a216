//! The only way in: commands and waiting claims. Reads go straight to the store.

use crate::input::{Input, Parked, is_worth_waiting};
use crate::stages::hand_off;
use crate::waiting_room::WaitingRoom;
use spalla_domain::RunId;
use spalla_store::{Command, ExecuteError, Reply, Request, Store, StoreError};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{broadcast, mpsc, oneshot};
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
    /// The runs whose logs grew.
    pub(crate) logged: broadcast::Sender<RunId>,
    /// How often workers called so far.
    pub(crate) worker_calls: Arc<AtomicU64>,
    /// Whether it makes runs by itself.
    pub(crate) ticks: bool,
}

/// How many grown logs a subscriber may be behind: whoever misses some looks at each log that it shows.
pub(crate) const LOGGED_BACKLOG: usize = 1_024;

impl EngineHandle {
    /// Executes one request; the answer is on disk when it arrives. Where it makes work eligible and a claimer waits
    /// for some, the claimer gets it in the same transaction.
    pub async fn execute(&self, request: impl Into<Request>) -> Result<Reply, ExecuteError> {
        let request = request.into();
        let logged = match &request.command {
            Command::AppendLogs(batch) => Some(batch.run_id),
            _ => None,
        };
        self.note_worker(&request.command);
        let outcome = self.carry_out(request).await;
        if let (Some(run_id), Ok(_)) = (logged, &outcome) {
            // Mostly nobody looks at a log while it grows.
            let _ = self.logged.send(run_id);
        }
        outcome
    }

    async fn carry_out(&self, request: Request) -> Result<Reply, ExecuteError> {
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
        self.note_worker(&request.command);
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

    /// Hears of each run whose log grew through this engine. Whoever falls behind is told so; lines that came through
    /// another server are not heard of.
    pub fn logged(&self) -> broadcast::Receiver<RunId> {
        self.logged.subscribe()
    }

    /// Returns how often workers called so far: to claim, to exchange, to say that they live.
    pub fn worker_calls(&self) -> u64 {
        self.worker_calls.load(Ordering::Relaxed)
    }

    /// Tells whether it makes runs by itself, so that nobody else needs to.
    pub const fn ticks_by_itself(&self) -> bool {
        self.ticks
    }

    /// Tells whether a worker waits for something to claim.
    pub fn has_waiting_worker(&self) -> bool {
        self.waiting.next_deadline().is_some()
    }

    fn note_worker(&self, command: &Command) {
        let calls = matches!(
            command,
            Command::Claim(_) | Command::ClaimRun { .. } | Command::Exchange(_) | Command::Heartbeat { .. }
        );
        self.worker_calls.fetch_add(u64::from(calls), Ordering::Relaxed);
    }

    /// Returns the store, for reads and its stream of commits.
    pub fn store(&self) -> &Store {
        &self.store
    }
}
