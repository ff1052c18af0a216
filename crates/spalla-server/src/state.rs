//! What every route works with: the engine, the store's reads, the clock, and the server's own instruments.

use crate::artifacts::Artifacts;
use crate::audit::{Audited, Mark};
use crate::auth::{Gate, Token};
use crate::backpressure::Gauge;
use crate::definitions::Definitions;
use crate::github::GitHubHook;
use crate::health::Health;
use crate::host_guard::Hosts;
use crate::live::{EventStream, LogStream, Places};
use crate::meters::Meters;
use crate::oidc::Oidc;
use crate::openapi::Document;
use crate::principal::Caller;
use crate::problem::Problem;
use crate::rate_limit::RateLimit;
use crate::routing::Routing;
use crate::sessions::Sessions;
use crate::strangers::Strangers;
use crate::vault::Vault;
use crate::webhooks::{UnderWay, WebhookTrust};
use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use spalla_domain::Timestamp;
use spalla_domain::network::Networks;
use spalla_engine::EngineHandle;
use spalla_scratchpad::Scratchpads;
use spalla_store::{Clock, Command, ExecuteError, Randomness, Read, Reply, StoreError};
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

/// How often whoever waits for a claim is looked at anew: what ends elsewhere is noticed within this.
const LOOK_EVERY: Duration = Duration::from_secs(5);
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
    /// How people sign in; none where they don't.
    pub(crate) oidc: Option<Oidc>,
    /// What is known of the issuer.
    #[cfg(feature = "oidc")]
    pub(crate) issuer: crate::oidc::Issuer,
    /// The port that cookies are named after.
    #[cfg(feature = "oidc")]
    pub(crate) port: u16,
    /// The hosts that are served.
    pub(crate) hosts: Hosts,
    /// The checks with what they found.
    pub(crate) health: Health,
    /// Counts requests.
    pub(crate) rate: RateLimit,
    /// Keeps floods of wrong tokens from the store.
    pub(crate) strangers: Strangers,
    /// What people answered to info requests.
    pub(crate) vault: Vault,
    /// Takes in what runs leave.
    pub(crate) artifacts: Artifacts,
    /// The scratchpads of the data folder.
    pub(crate) scratchpads: Scratchpads,
    /// What a worker shows to read answers; none means that no worker does.
    pub(crate) agent_secret: Option<Token>,
    /// Keeps sessions and pursues them.
    pub(crate) sessions: Arc<dyn Sessions>,
    /// Takes what GitHub tells; none where nobody watches issues.
    pub(crate) github: Option<GitHubHook>,
    /// Finds agents for tasks.
    pub(crate) routing: Arc<dyn Routing>,
    /// The agents that are known.
    pub(crate) definitions: Definitions,
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
    pub(crate) document: Document,
    /// Open connections.
    pub(crate) connections: AtomicUsize,
    /// Is cancelled when the server is to end.
    pub(crate) shutdown: CancellationToken,
    /// The networks that webhooks may lead into although they are not public.
    pub(crate) webhook_networks: Networks,
    /// Who is trusted to vouch for receivers of webhooks.
    pub(crate) webhook_trust: WebhookTrust,
    /// Is told when a webhook is made or removed.
    pub(crate) webhooks_changed: watch::Sender<()>,
    /// What is being sent to webhooks.
    pub(crate) under_way: UnderWay,
    /// What this server is called among those that share a store.
    pub(crate) server_name: String,
    /// Is told when a token is revoked.
    pub(crate) revoked: watch::Sender<()>,
    /// Is cancelled when nobody waits any longer for what is still open.
    pub(crate) cut: CancellationToken,
    /// The connections that have become WebSockets.
    pub(crate) sockets: TaskTracker,
    /// Tells the requests of this server from those of another one.
    pub(crate) request_prefix: u64,
    /// The way in for what comes over a WebSocket; none before the server serves, and after it has ended.
    pub(crate) way_in: Mutex<Option<Router>>,
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
    pub(crate) async fn execute(&self, mut command: Command, mark: Mark) -> Result<Reply, Problem> {
        let Mark { key, audited, reach } = mark;
        reach.bind(&mut command)?;
        let audit = audited.as_ref().and_then(Audited::call);
        let request = spalla_store::Request { command, idempotency: key, audit, scope: reach.scope() };
        let answer = self.engine.execute(request).await;
        if let (Some(audited), Ok(_) | Err(ExecuteError::Refused(_))) = (&audited, &answer) {
            audited.recorded();
        }
        Ok(answer?)
    }

    /// Claims, and waits for something to claim where there is nothing. When the server ends, the engine has a
    /// moment to answer whoever waits; after that nobody does any more.
    pub(crate) async fn claim(
        &self,
        mut command: Command,
        mark: Mark,
        wait: Duration,
    ) -> Result<Reply, Problem> {
        let Mark { key, audited, reach } = mark;
        reach.bind(&mut command)?;
        let is_plain = matches!(command, Command::Claim(_));
        let caller = reach.principal().map(|principal| Caller::Known(Arc::clone(principal)));
        let audit = audited.as_ref().and_then(Audited::call);
        let claimed = self
            .engine
            .claim(spalla_store::Request { command, idempotency: key, audit, scope: reach.scope() }, wait);
        let too_late = async {
            self.shutdown.cancelled().await;
            tokio::time::sleep(LAST_ANSWER_WITHIN).await;
        };
        tokio::select! {
            claimed = claimed => {
                // What brought nothing changed nothing, and is recorded when it is answered.
                let is_recorded = match &claimed {
                    Ok(reply) => !reply.brought_nothing(),
                    Err(error) => matches!(error, ExecuteError::Refused(_)),
                };
                audited.iter().filter(|_| is_recorded).for_each(Audited::recorded);
                Ok(claimed?)
            }
            () = self.shut_out(caller) => Err(Problem::not_let_in()),
            // What an exchange completed is on disk; sent again with the same tokens it is confirmed then.
            () = too_late => if is_plain { Ok(Reply::Claimed(vec![])) } else { Err(StoreError::Closed.into()) },
        }
    }

    /// Waits until somebody who was let in would not be let in any more; for ever where that can't happen.
    async fn shut_out(&self, caller: Option<Caller>) {
        let Some(caller) = caller else { return std::future::pending().await };
        let mut revoked = self.revoked.subscribe();
        loop {
            tokio::select! {
                // The sender lives as long as the server.
                _ = revoked.changed() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            if !self.is_still_let_in(&caller).await.unwrap_or(false) {
                return;
            }
        }
    }

    /// Opens the way in for what comes over a WebSocket, or closes it.
    pub(crate) fn lead_in(&self, routes: Option<Router>) {
        *self.way_in.lock().unwrap_or_else(PoisonError::into_inner) = routes;
    }

    /// Answers a request as if it had come over a connection of its own; none once the server has ended.
    pub(crate) async fn ask(&self, request: Request) -> Option<Response> {
        let routes = self.way_in.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        routes.oneshot(request).await.ok()
    }

    /// Returns what this server is called among those that share a store.
    pub(crate) fn name(&self) -> &str {
        &self.server_name
    }

    /// Makes an id for a request that brought none.
    pub(crate) fn next_request_id(&self) -> String {
        format!("{:016x}-{}", self.request_prefix, self.requests.fetch_add(1, Ordering::Relaxed) + 1)
    }
}
