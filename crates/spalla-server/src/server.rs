//! The server: binds a socket, accepts connections up to a bound, and ends them in good order.

mod connection;
mod head;
mod head_watch;

pub(crate) use connection::Peer;
pub(crate) use head::HeadFault;

use crate::artifacts::Artifacts;
use crate::auth::{Access, Gate, Token};
use crate::backpressure::Gauge;
use crate::cors::Cors;
use crate::definitions::Definitions;
use crate::entrance;
use crate::github::GitHubHook;
use crate::health::{Health, HealthOptions};
use crate::host_guard::Hosts;
use crate::live::{EventStream, LogFollower, LogStream, Places};
use crate::meters::Meters;
use crate::oidc::Oidc;
use crate::openapi::Document;
use crate::rate_limit::RateLimit;
use crate::routing::Routing;
use crate::sessions::Sessions;
use crate::state::{App, Shared};
use crate::strangers::Strangers;
use crate::vault::Vault;
use crate::webhooks::{UnderWay, WebhookTrust};
use axum::{Router, middleware};
use spalla_domain::limits::Limits;
use spalla_domain::network::Networks;
use spalla_engine::EngineHandle;
use spalla_scratchpad::Scratchpads;
use spalla_store::{Clock, Randomness};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How many connections are served at once: the event streams, as many waiting workers, and room for people. Whoever
/// comes beyond that waits in the system's queue.
const CONNECTIONS_MAX: usize = 4_096;
/// How long accepting rests when the system has no socket left to give.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// What a server is started with.
#[derive(Clone)]
pub struct Options {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Who is let in.
    pub access: Access,
    /// How people sign in besides; none where they don't. Without the feature `oidc` nobody does.
    pub oidc: Option<Oidc>,
    /// Further names, with their port where it is not the scheme's own, under which a proxy or a container network
    /// leads here.
    pub served_hosts: Vec<String>,
    /// The foreign pages that may call.
    pub cors: Cors,
    /// How many requests a client may make in a minute; 0 means any number.
    pub rate_limit_per_minute: u32,
    /// The code of the start link, which lets a browser in once.
    pub start_code: Option<Token>,
    /// The program's version.
    pub version: String,
    /// The clock that the store uses as well.
    pub clock: Arc<dyn Clock>,
    /// The random numbers.
    pub randomness: Arc<dyn Randomness>,
    /// What is looked at to tell whether the server works.
    pub health: HealthOptions,
    /// Keeps what people answer to info requests; the worker in this process has the same.
    pub vault: Vault,
    /// What a remote worker shows to read answers; none means that no remote worker can.
    pub agent_secret: Option<Token>,
    /// What no project and no work item may ask for more of: the document says so as well.
    pub limits_max: Limits,
    /// The scratchpads of the data folder.
    pub scratchpads: Scratchpads,
    /// Keeps sessions and pursues them.
    pub sessions: Arc<dyn Sessions>,
    /// Takes what GitHub tells; none where nobody watches issues.
    pub github: Option<GitHubHook>,
    /// Finds agents for tasks.
    pub routing: Arc<dyn Routing>,
    /// The agents that are known.
    pub definitions: Definitions,
    /// How many entries the queue has at most.
    pub queue_limit: u64,
    /// The networks that webhooks may lead into although they are not public.
    pub webhook_networks: Networks,
    /// Who is trusted to vouch for receivers of webhooks.
    pub webhook_trust: WebhookTrust,
    /// How long requests that are under way may take to end after the shutdown.
    pub grace: Duration,
}

/// Why a server could not be started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something else listens there.
    #[error("{listen} is taken by another program; stop it, or choose another address with --listen")]
    PortTaken {
        /// The address.
        listen: SocketAddr,
    },
    /// The system refused the address.
    #[error("can't listen on {listen}: {source}; choose another address with --listen")]
    Listen {
        /// The address.
        listen: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// People can't sign in as they were to.
    #[error("people can't sign in: {0}")]
    Oidc(String),
}

/// A server that listens, and serves once it is told to.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    app: App,
    routes: Router,
    logs: LogFollower,
    grace: Duration,
}

impl Server {
    /// Takes the socket and makes everything ready; nothing is answered before `serve`.
    pub async fn bind(options: Options, engine: EngineHandle) -> Result<Self, Error> {
        let listen = options.listen;
        let listener = TcpListener::bind(listen).await.map_err(|source| match source.kind() {
            std::io::ErrorKind::AddrInUse => Error::PortTaken { listen },
            _ => Error::Listen { listen, source },
        })?;
        let address = listener.local_addr().map_err(|source| Error::Listen { listen, source })?;
        let hosts = Hosts::new(address, &options.served_hosts, options.cors.clone());
        let oidc = options.oidc.filter(|_| cfg!(feature = "oidc"));
        let checked = oidc.as_ref().map_or(Ok(()), |oidc| oidc.check(&hosts));
        checked.map_err(Error::Oidc)?;
        let (routes, descriptions) = crate::api::build(&options.version, oidc.is_some());
        let document =
            Document::new(descriptions, matches!(options.access, Access::None), options.limits_max);
        let request_prefix = options.randomness.next();
        let (log_stream, logs) = LogStream::new(engine.store().clone());
        let app = App::from(Shared {
            events: EventStream::new(engine.store().clone()),
            logs: log_stream,
            places: Places::default(),
            artifacts: Artifacts::new(engine.clone(), options.vault.clone()),
            engine,
            gate: Gate::new(options.access, options.start_code, address)
                .with_sessions(oidc.as_ref().map(|oidc| oidc.session_cookie(address.port()))),
            oidc,
            #[cfg(feature = "oidc")]
            issuer: crate::oidc::Issuer::default(),
            #[cfg(feature = "oidc")]
            port: address.port(),
            hosts,
            health: Health::new(options.health),
            rate: RateLimit::new(options.rate_limit_per_minute),
            strangers: Strangers::default(),
            vault: options.vault,
            scratchpads: options.scratchpads,
            agent_secret: options.agent_secret,
            sessions: options.sessions,
            github: options.github,
            routing: options.routing,
            definitions: options.definitions,
            gauge: Gauge::new(options.queue_limit),
            clock: options.clock,
            request_prefix,
            randomness: options.randomness,
            meters: Meters::new(&options.version),
            version: options.version,
            started: Instant::now(),
            document,
            connections: AtomicUsize::new(0),
            shutdown: CancellationToken::new(),
            webhook_networks: options.webhook_networks,
            webhook_trust: options.webhook_trust,
            webhooks_changed: watch::Sender::new(()),
            under_way: UnderWay::default(),
            server_name: format!("{request_prefix:016x}"),
            revoked: watch::Sender::new(()),
            cut: CancellationToken::new(),
            sockets: TaskTracker::new(),
            requests: AtomicU64::new(0),
            way_in: Mutex::new(None),
        });
        let enter = middleware::from_fn_with_state(app.clone(), entrance::enter);
        let routes = routes.layer(middleware::from_fn_with_state(app.clone(), entrance::admit));
        let routes = match options.cors.layer() {
            Some(cors) => routes.layer(cors),
            None => routes,
        };
        let tools = crate::mcp::Endpoint::new(&app, &app.shutdown);
        let routes = routes.layer(axum::Extension(tools)).layer(enter).with_state(app.clone());
        Ok(Self { listener, address, app, routes, logs, grace: options.grace })
    }

    /// Returns the address, with the port that was taken.
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until the shutdown. Then it accepts nothing more, ends the event streams, answers what is under way
    /// within the grace, and closes what is left.
    pub async fn serve(self, shutdown: CancellationToken) {
        let app = self.app.clone();
        let mut tasks = JoinSet::new();
        let events = app.clone();
        tasks.spawn(async move { events.events.follow(&events.meters, events.shutdown.clone()).await });
        let (logs, log_app) = (self.logs, app.clone());
        tasks.spawn(async move {
            logs.follow(&log_app.engine, &log_app.events, log_app.shutdown.clone()).await;
        });
        let webhooks = app.clone();
        tasks.spawn(async move { crate::webhooks::follow(&webhooks, webhooks.shutdown.clone()).await });
        let names = app.clone();
        tasks.spawn(async move { crate::webhooks::follow_names(&names, names.shutdown.clone()).await });
        let agents = app.clone();
        tasks.spawn(async move { crate::agents::follow(&agents, agents.shutdown.clone()).await });
        let health = app.clone();
        tasks.spawn(async move { health.health.watch(&health, health.shutdown.clone()).await });
        let scratchpads = app.clone();
        tasks.spawn(async move {
            crate::scratchpads::watch(&scratchpads, scratchpads.shutdown.clone()).await;
        });
        // The routes have the app, and the app has them until the end.
        app.lead_in(Some(self.routes.clone()));
        let front = Front { listener: self.listener, app: app.clone(), routes: self.routes };
        shutdown.run_until_cancelled(front.accept(&mut tasks)).await;
        drop(front);
        app.shutdown.cancel();
        app.sockets.close();
        let drained = async {
            while tasks.join_next().await.is_some() {}
            app.sockets.wait().await;
        };
        if tokio::time::timeout(self.grace, drained).await.is_err() {
            tracing::warn!(
                open = app.connections.load(Ordering::Relaxed),
                "connections were cut at the end of the grace"
            );
        }
        app.lead_in(None);
        app.cut.cancel();
        tasks.shutdown().await;
        app.sockets.wait().await;
    }
}

/// What takes connections in.
struct Front {
    listener: TcpListener,
    app: App,
    routes: Router,
}

impl Front {
    /// Accepts connections for ever.
    async fn accept(&self, tasks: &mut JoinSet<()>) {
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            // The semaphore is never closed, so there always comes a place.
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    let served = self.connection(stream, peer.ip());
                    tasks.spawn(async move {
                        served.await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_AGAIN_AFTER).await;
                }
            }
            // Ended connections are taken away as new ones come, so that the set does not grow.
            while tasks.try_join_next().is_some() {}
        }
    }

    fn connection(&self, stream: TcpStream, from: IpAddr) -> impl Future<Output = ()> + Send + use<> {
        connection::serve(stream, from, self.app.clone(), self.routes.clone())
    }
}
