//! The one way out of a network of its own: a proxy that knows a list of hosts. It listens inside and connects from
//! outside: the socket that it accepts on was made in the run's network, and is served by the supervisor.
//!
//! It decides on the address that it connects to: a name is resolved once, here, and an address of a private range is
//! refused even for a name that is allowed, unless the list names the address itself.

pub(crate) mod allow;
pub(crate) mod gateway;
pub(crate) mod relay;
mod request;

use allow::{AllowList, Target};
use request::Request;
use rustix::net::Shutdown;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io::{self, Write};
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Where it listens inside. The network is new, so that nobody else can have the port.
pub(crate) const ADDRESS: (&str, u16) = ("127.0.0.1", 3128);
/// Connections at a time; more wait.
const CONNECTIONS_MAX: usize = 128;
/// The longest head of a request, in bytes.
const HEAD_BYTES_MAX: usize = 32 * 1024;
/// The most headers of a request.
const HEADERS_MAX: usize = 100;
/// How long a head, or a connection to a host, may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many different refusals are kept for the record.
const REFUSALS_MAX: usize = 256;

/// The proxy of one run; it ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Proxy {
    listener: TcpListener,
    shared: Arc<Shared>,
}

/// A host that a command asked for and did not get.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedHost {
    /// Its name or address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Why.
    pub reason: String,
}

impl fmt::Display for RefusedHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.host, self.port, self.reason)
    }
}

/// The hosts of one run that were asked for and refused, each once, with the reason; whoever refuses one adds it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Refusals(Arc<Mutex<Vec<RefusedHost>>>);

impl Refusals {
    /// Returns them, in the order in which they came.
    pub(crate) fn all(&self) -> Vec<RefusedHost> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, target: &Target, reason: &str) {
        let mut refused = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = RefusedHost { host: target.host.clone(), port: target.port, reason: reason.to_owned() };
        if refused.len() < REFUSALS_MAX && !refused.contains(&entry) {
            refused.push(entry);
        }
    }
}

#[derive(Debug)]
struct Shared {
    allow: AllowList,
    refusals: Refusals,
    connections: AtomicUsize,
}

impl Proxy {
    /// Starts to serve, in threads of its own.
    pub(crate) fn serve(listener: OwnedFd, allow: &[String], refusals: Refusals) -> io::Result<Self> {
        let listener = TcpListener::from(listener);
        let shared = Shared { allow: AllowList::new(allow), refusals, connections: AtomicUsize::new(0) };
        let proxy = Self { listener, shared: Arc::new(shared) };
        let (listener, shared) = (proxy.listener.try_clone()?, Arc::clone(&proxy.shared));
        thread::spawn(move || accept(&listener, &shared));
        Ok(proxy)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Wakes the thread that accepts.
        let _ = rustix::net::shutdown(&self.listener, Shutdown::Both);
    }
}

/// Waits for the next client; none once nobody serves any more.
pub(crate) fn accepted(listener: &TcpListener) -> Option<TcpStream> {
    loop {
        match listener.accept() {
            Ok((client, _)) => return Some(client),
            // Others may close what is used up now.
            Err(error) if matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE)) => {
                let _ = nix::poll::poll(&mut [], 20_u8);
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(_) => return None,
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    while let Some(mut client) = accepted(listener) {
        if shared.connections.fetch_add(1, Ordering::Relaxed) >= CONNECTIONS_MAX {
            shared.connections.fetch_sub(1, Ordering::Relaxed);
            let _ = answer(&mut client, "503 Service Unavailable", "too many connections at a time");
            continue;
        }
        let shared = Arc::clone(shared);
        thread::spawn(move || {
            // A client or host that goes away is nobody's failure.
            let _ = shared.handle(client);
            shared.connections.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

impl Shared {
    fn handle(&self, mut client: TcpStream) -> io::Result<()> {
        client.set_read_timeout(Some(PATIENCE))?;
        let Some(request) = Request::read(&mut client)? else {
            return answer(&mut client, "400 Bad Request", "not a request that a proxy understands");
        };
        let allowed = self.allow.check(&request.target);
        let server = match allowed.and_then(|()| connect(&self.allow, &request.target)) {
            Ok(server) => server,
            Err(reason) => {
                self.refusals.note(&request.target, &reason);
                return answer(&mut client, "403 Forbidden", &reason);
            }
        };
        client.set_read_timeout(None)?;
        let mut server = match server {
            Ok(server) => server,
            Err(error) => return answer(&mut client, "502 Bad Gateway", &error.to_string()),
        };
        match request.head {
            Some(head) => server.write_all(&head)?,
            None => client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?,
        }
        server.write_all(&request.rest)?;
        join(client, server)
    }
}

/// Connects to a host that is allowed, at an address that is: the name is resolved once, here. The outer error is a
/// refusal.
fn connect(allow: &AllowList, target: &Target) -> Result<io::Result<TcpStream>, String> {
    let addresses = match (target.host.as_str(), target.port).to_socket_addrs() {
        Ok(addresses) => addresses,
        Err(error) => return Ok(Err(error)),
    };
    let mut last = Err(io::Error::from(io::ErrorKind::NotFound));
    let mut refusal = None;
    for address in addresses {
        match allow.check_address(target, address.ip()) {
            Ok(()) => match TcpStream::connect_timeout(&address, PATIENCE) {
                Ok(server) => return Ok(Ok(server)),
                Err(error) => last = Err(error),
            },
            Err(reason) => refusal = Some(reason),
        }
    }
    refusal.map_or(Ok(last), Err)
}

/// Hands on both ways until both are over.
fn join(client: TcpStream, server: TcpStream) -> io::Result<()> {
    let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
    let there = thread::spawn(move || {
        let _ = io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(std::net::Shutdown::Write);
    });
    let (mut from_server, mut to_client) = (server, client);
    let _ = io::copy(&mut from_server, &mut to_client);
    let _ = to_client.shutdown(std::net::Shutdown::Both);
    let _ = from_server.shutdown(std::net::Shutdown::Both);
    let _ = there.join();
    Ok(())
}

fn answer(client: &mut TcpStream, status: &str, reason: &str) -> io::Result<()> {
    let body = format!("spalla: {reason}\n");
    let length = body.len();
    write!(
        client,
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}
