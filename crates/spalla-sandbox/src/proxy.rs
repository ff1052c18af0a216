//! The one way out of a network of its own: a proxy that knows a list of hosts. It listens inside and connects from
//! outside: the socket that it accepts on was made in the run's network, and is served by the supervisor.
//!
//! It decides on the address that it connects to: a name is resolved once, here, and an address of a private range is
//! refused even for a name that is allowed, unless the list names the address itself.

pub(crate) mod allow;
pub(crate) mod gateway;
pub(crate) mod relay;

use allow::{AllowList, Target};
use rustix::net::Shutdown;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io::{self, Read, Write};
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

/// What a client wants.
struct Request {
    target: Target,
    /// What the host gets first; nothing for a tunnel.
    head: Option<Vec<u8>>,
    /// What the client sent behind the head.
    rest: Vec<u8>,
}

impl Request {
    /// Reads the head of a request; none where it is none.
    fn read(client: &mut TcpStream) -> io::Result<Option<Self>> {
        let mut read = Vec::new();
        let mut chunk = [0; 4096];
        loop {
            let length = client.read(&mut chunk)?;
            read.extend_from_slice(&chunk[..length]);
            if length == 0 || read.len() > HEAD_BYTES_MAX {
                return Ok(None);
            }
            let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
            let mut head = httparse::Request::new(&mut headers);
            match head.parse(&read) {
                Ok(httparse::Status::Partial) => {}
                Ok(httparse::Status::Complete(length)) => {
                    return Ok(Self::understand(&head, &read[length..]));
                }
                Err(_) => return Ok(None),
            }
        }
    }

    fn understand(head: &httparse::Request<'_, '_>, rest: &[u8]) -> Option<Self> {
        let (method, path) = (head.method?, head.path?);
        let rest = rest.to_vec();
        if method == "CONNECT" {
            return Some(Self { target: Target::read(path, 443)?, head: None, rest });
        }
        let address = path.strip_prefix("http://")?;
        let (host, path) = address.split_at(address.find('/').unwrap_or(address.len()));
        let target = Target::read(host, 80)?;
        let path = if path.is_empty() { "/" } else { path };
        // One request for each connection: a second one could be for another host.
        let mut text =
            format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n").into_bytes();
        for header in head.headers.iter() {
            let name = header.name.to_ascii_lowercase();
            if !matches!(name.as_str(), "host" | "connection" | "keep-alive") && !name.starts_with("proxy-") {
                text.extend_from_slice(header.name.as_bytes());
                text.extend_from_slice(b": ");
                text.extend_from_slice(header.value);
                text.extend_from_slice(b"\r\n");
            }
        }
        text.extend_from_slice(b"\r\n");
        Some(Self { target, head: Some(text), rest })
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn understood(text: &str) -> Option<Request> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut head = httparse::Request::new(&mut headers);
        let httparse::Status::Complete(length) = head.parse(text.as_bytes()).unwrap() else {
            panic!("{text}")
        };
        Request::understand(&head, &text.as_bytes()[length..])
    }

    #[test]
    fn a_tunnel_and_a_plain_request_name_their_host() {
        let tunnel = understood("CONNECT example.org:8443 HTTP/1.1\r\nHost: other\r\n\r\nrest").unwrap();
        assert_eq!((tunnel.target.host.as_str(), tunnel.target.port), ("example.org", 8443));
        assert_eq!((tunnel.head, tunnel.rest), (None, b"rest".to_vec()));
        let plain =
            "GET http://example.org/a?b HTTP/1.1\r\nHost: other\r\nProxy-Authorization: x\r\nA: b\r\n\r\n";
        let plain = understood(plain).unwrap();
        assert_eq!((plain.target.host.as_str(), plain.target.port), ("example.org", 80));
        let head = String::from_utf8(plain.head.unwrap()).unwrap();
        assert_eq!(head, "GET /a?b HTTP/1.1\r\nHost: example.org\r\nConnection: close\r\nA: b\r\n\r\n");
    }

    #[test]
    fn what_names_no_host_is_not_understood() {
        for text in ["GET / HTTP/1.1\r\n\r\n", "CONNECT : HTTP/1.1\r\n\r\n", "GET ftp://a/ HTTP/1.1\r\n\r\n"]
        {
            assert!(understood(text).is_none(), "{text}");
        }
    }
}
