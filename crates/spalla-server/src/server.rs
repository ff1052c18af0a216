//! The server: binds a socket, accepts connections up to a bound, and ends them in good order.

mod connection;
mod head;
mod head_watch;

pub(crate) use head::HeadFault;

use crate::auth::{Access, Gate, Token};
use crate::entrance;
use crate::host_guard::Hosts;
use crate::live::EventStream;
use crate::meters::Meters;
use crate::state::{App, Shared};
use axum::{Router, middleware};
use spalla_engine::EngineHandle;
use spalla_store::{Clock, Randomness};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

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
    /// Further names, with their port where it is not the scheme's own, under which a proxy or a container network
    /// leads here.
    pub served_hosts: Vec<String>,
    /// The code of the start link, which lets a browser in once.
    pub start_code: Option<Token>,
    /// The program's version.
    pub version: String,
    /// The clock that the store uses as well.
    pub clock: Arc<dyn Clock>,
    /// The random numbers.
    pub randomness: Arc<dyn Randomness>,
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
    /// The OpenAPI document can't be written: a defect.
    #[error("the OpenAPI document can't be written: {0}")]
    Document(#[from] serde_json::Error),
}

/// A server that listens, and serves once it is told to.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    app: App,
    routes: Router,
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
        let (routes, document) = crate::api::build(&options.version);
        let document = crate::openapi::finish(document, matches!(options.access, Access::None))?;
        let app = App::from(Shared {
            events: EventStream::new(engine.store().clone()),
            engine,
            gate: Gate::new(options.access, options.start_code, address),
            hosts: Hosts::new(address, &options.served_hosts),
            clock: options.clock,
            request_prefix: options.randomness.next(),
            randomness: options.randomness,
            meters: Meters::new(&options.version),
            version: options.version,
            started: Instant::now(),
            document: serde_json::to_vec(&document)?.into(),
            connections: AtomicUsize::new(0),
            shutdown: CancellationToken::new(),
            requests: AtomicU64::new(0),
        });
        let enter = middleware::from_fn_with_state(app.clone(), entrance::enter);
        let routes = routes.layer(enter).with_state(app.clone());
        Ok(Self { listener, address, app, routes, grace: options.grace })
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
        shutdown.run_until_cancelled(self.accept(&mut tasks)).await;
        drop(self.listener);
        app.shutdown.cancel();
        let drained = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(self.grace, drained).await.is_err() {
            tracing::warn!(
                open = app.connections.load(Ordering::Relaxed),
                "connections were cut at the end of the grace"
            );
        }
        tasks.shutdown().await;
    }

    /// Accepts connections for ever.
    async fn accept(&self, tasks: &mut JoinSet<()>) {
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            // The semaphore is never closed, so there always comes a place.
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let served = self.connection(stream);
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

    fn connection(&self, stream: TcpStream) -> impl Future<Output = ()> + Send + use<> {
        connection::serve(stream, self.app.clone(), self.routes.clone())
    }
}
