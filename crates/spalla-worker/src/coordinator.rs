//! The claim protocol from the worker's side. An embedded worker speaks it to the engine in its own process, a
//! remote one over HTTP; the worker can't tell which.

mod http;

pub use http::{HttpCoordinator, HttpError};

use futures_util::future::BoxFuture;
use spalla_domain::claim::{Exchange, ExchangeReply, Heartbeat, LogBatch};

/// Who hands out runs and takes their results.
pub trait Coordinator: Send + Sync + 'static {
    /// Completes, extends and claims in one call; waits up to `wait_ms` for a run to claim. Dropping the answer
    /// while it waits must not claim anything.
    fn exchange(
        &self,
        exchange: Exchange,
        wait_ms: i64,
    ) -> BoxFuture<'_, Result<ExchangeReply, CoordinatorError>>;

    /// Keeps lines of a run's log. Sending numbered lines again changes nothing.
    fn append_logs(&self, batch: LogBatch) -> BoxFuture<'_, Result<(), CoordinatorError>>;

    /// Gives runs back without a result, so that somebody else can take them at once.
    fn hand_back(&self, runs: Vec<Heartbeat>) -> BoxFuture<'_, Result<(), CoordinatorError>>;
}

/// Why a call had no effect, by what the worker does next.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CoordinatorError {
    /// The state forbids it, such as `stale_token` when the lease was lost: the run is stopped.
    #[error("refused ({code}): {detail}")]
    Refused {
        /// The stable code.
        code: String,
        /// What was wrong.
        detail: String,
    },
    /// Nobody answered, or somebody who has too much to do: it is tried again later.
    #[error("not available: {detail}")]
    Unavailable {
        /// How long to wait at least, where the other side says so, in milliseconds.
        retry_after_ms: Option<i64>,
        /// What happened.
        detail: String,
    },
    /// The call itself is wrong, such as a token that is not accepted: trying again won't help.
    #[error("rejected with status {status}: {detail}")]
    Rejected {
        /// The HTTP status, or what it would be.
        status: u16,
        /// What was wrong.
        detail: String,
    },
}
