//! The server: a thread of its own that listens on loopback, and the handle by which tests look at it and end it.

use crate::counters::Counters;
use crate::journal::{Entry, Journal};
use crate::script::Script;
use crate::service::{Shared, serve};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// Connections at a time: far more than agents on one machine have, and few enough that a flood stays harmless.
const CONNECTIONS_MAX: usize = 1024;

/// Whoever has not sent the head of a request by then never will.
const HEAD_LIMIT: Duration = Duration::from_secs(30);

/// After a connection that could not be taken.
const BREATHER: Duration = Duration::from_millis(20);

/// How a server is started.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The port to listen on; 0 takes a free one.
    pub port: u16,
    /// A file to append the journal to.
    pub journal: Option<PathBuf>,
}

/// A running server; it ends when this is dropped.
#[derive(Debug)]
pub struct FakeModel {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl FakeModel {
    /// Starts a server on a free port.
    pub fn start(script: Script) -> io::Result<Self> {
        Self::start_with(script, &Options::default())
    }

    /// Starts a server.
    pub fn start_with(script: Script, options: &Options) -> io::Result<Self> {
        let journal = Journal::open(options.journal.as_deref())?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared { script, counters: Mutex::new(Counters::default()), journal });
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let served = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("fake-model".to_owned())
            .spawn(move || runtime.block_on(accept(listener, served, stopped)))?;
        Ok(Self { address, shared, stop: Some(stop), thread: Some(thread) })
    }

    /// Returns the address, without a path: what Anthropic's and Gemini's clients want as their base. OpenAI's want
    /// `/v1` behind it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Returns what was asked and answered so far.
    pub fn journal(&self) -> Vec<Entry> {
        self.shared.journal.entries()
    }

    /// Waits until the journal is as wanted; returns whether it was in time.
    pub fn wait_for(&self, limit: Duration, is_wanted: impl FnMut(&[Entry]) -> bool) -> bool {
        self.shared.journal.wait_for(limit, is_wanted)
    }
}

impl Drop for FakeModel {
    fn drop(&mut self) {
        drop(self.stop.take());
        // A server that panicked has nothing left to end.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Serves until the other end of `stopped` is dropped; what is open then is closed with it.
async fn accept(listener: TcpListener, shared: Arc<Shared>, mut stopped: oneshot::Receiver<()>) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut stopped => return,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX => match accepted {
                Ok((stream, _)) => drop(connections.spawn(connection(stream, Arc::clone(&shared)))),
                // The process has no descriptors left; they come back as connections end.
                Err(_) => tokio::time::sleep(BREATHER).await,
            },
        }
    }
}

async fn connection(stream: tokio::net::TcpStream, shared: Arc<Shared>) {
    // Events are to arrive one by one.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| serve(Arc::clone(&shared), request));
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_LIMIT);
    // A client that goes away, and an answer that is cut off on purpose, both end here as an error.
    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
}
