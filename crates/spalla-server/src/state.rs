//! What every route works with: the engine, the store's reads, the clock, and the server's own instruments.

use crate::auth::{Gate, Token};
use crate::backpressure::Gauge;
use crate::health::Health;
use crate::host_guard::Hosts;
use crate::live::{EventStream, LogStream, Places};
use crate::meters::Meters;
use crate::problem::Problem;
use crate::rate_limit::RateLimit;
use crate::vault::Vault;
use axum::body::Bytes;
use spalla_domain::Timestamp;
use spalla_engine::EngineHandle;
use spalla_store::command::IdempotencyKey;
use spalla_store::{Clock, Command, Randomness, Read, Reply, Request, StoreError};
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long the engine may take to answer waiting claims once the server ends: far more than it needs.
const LAST_ANSWER_WITHIN: Duration = Duration::from_millis(500);

/// A handle to what every route works with; cheap to clone.
#[derive(Clone)]
pub(crate) struct App(Arc<Shared>);

/// What every route works with.
pub(crate) struct Shared {
    /// Takes commands.
    pub(crate) engine: EngineHandle,
    /// Tells callers apart.
    pub(crate) gate: Gate,
    /// The hosts that are served.
    pub(crate) hosts: Hosts,
    /// The checks with what they found.
    pub(crate) health: Health,
    /// Counts requests.
    pub(crate) rate: RateLimit,
    /// What people answered to info requests.
    pub(crate) vault: Vault,
    /// What a worker shows to read answers; none means that no worker does.
    pub(crate) agent_secret: Option<Token>,
    /// How full the queue is.
    pub(crate) gauge: Gauge,
    /// Tells the time.
    pub(crate) clock: Arc<dyn Clock>,
    /// Gives random numbers.
    pub(crate) randomness: Arc<dyn Randomness>,
    /// The events as they happen.
    pub(crate) events: EventStream,
    /// The logs as they grow.
    pub(crate) logs: LogStream,
    /// The streams that the server bears.
    pub(crate) places: Places,
    /// The metrics.
    pub(crate) meters: Meters,
    /// The program's version.
    pub(crate) version: String,
    /// When the server started.
    pub(crate) started: Instant,
    /// The OpenAPI document.
    pub(crate) document: Bytes,
    /// Open connections.
    pub(crate) connections: AtomicUsize,
    /// Is cancelled when the server is to end.
    pub(crate) shutdown: CancellationToken,
    /// Is cancelled when nobody waits any longer for what is still open.
    pub(crate) cut: CancellationToken,
    /// The connections that have become WebSockets.
    pub(crate) sockets: TaskTracker,
    /// Tells the requests of this server from those of another one.
    pub(crate) request_prefix: u64,
    /// Requests so far that brought no id of their own.
    pub(crate) requests: AtomicU64,
}

impl Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl From<Shared> for App {
    fn from(shared: Shared) -> Self {
        Self(Arc::new(shared))
    }
}

/// An open connection.
pub(crate) struct Counted(App);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

impl App {
    /// Counts a connection while what comes back lives.
    pub(crate) fn count_connection(&self) -> Counted {
        self.connections.fetch_add(1, Ordering::Relaxed);
        Counted(self.clone())
    }
}

impl Shared {
    /// Returns the present moment.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Returns the reads.
    pub(crate) fn read(&self) -> &dyn Read {
        self.engine.store().read()
    }

    /// Carries out a wish; the answer is on disk when it arrives.
    pub(crate) async fn execute(
        &self,
        command: Command,
        key: Option<IdempotencyKey>,
    ) -> Result<Reply, Problem> {
        Ok(self.engine.execute(Request { command, idempotency: key }).await?)
    }

    /// Claims, and waits for something to claim where there is nothing. When the server ends, the engine has a
    /// moment to answer whoever waits; after that nobody does any more.
    pub(crate) async fn claim(
        &self,
        command: Command,
        key: Option<IdempotencyKey>,
        wait: Duration,
    ) -> Result<Reply, Problem> {
        let is_plain = matches!(command, Command::Claim(_));
        let claimed = self.engine.claim(Request { command, idempotency: key }, wait);
        let too_late = async {
            self.shutdown.cancelled().await;
            tokio::time::sleep(LAST_ANSWER_WITHIN).await;
        };
        tokio::select! {
            claimed = claimed => Ok(claimed?),
            // What an exchange completed is on disk; sent again with the same tokens it is confirmed then.
            () = too_late => if is_plain { Ok(Reply::Claimed(vec![])) } else { Err(StoreError::Closed.into()) },
        }
    }

    /// Makes an id for a request that brought none.
    pub(crate) fn next_request_id(&self) -> String {
        format!("{:016x}-{}", self.request_prefix, self.requests.fetch_add(1, Ordering::Relaxed) + 1)
    }
}
