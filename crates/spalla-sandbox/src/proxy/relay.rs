//! The way to a model's server on this machine's own loopback device: a socket in the run's network at the same
//! address, and behind it, outside, exactly that server. Nothing is looked at, and nobody else is reached.

use super::accepted;
use super::{CONNECTIONS_MAX, PATIENCE, join};
use rustix::net::Shutdown;
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// How many relays a run has at most; each is a socket that it keeps.
pub(crate) const RELAYS_MAX: usize = 16;

/// The settings by which programs are told where a model is served.
const BASE_URLS: [&str; 12] = [
    "OPENAI_BASE_URL",
    "OPENAI_API_BASE",
    "ANTHROPIC_BASE_URL",
    "OLLAMA_HOST",
    "OLLAMA_BASE_URL",
    "CODEX_HTTP_URL",
    "CODEX_BASE_URL",
    "GOOGLE_GEMINI_BASE_URL",
    "GEMINI_BASE_URL",
    "GOOGLE_VERTEX_BASE_URL",
    "CLAUDE_CODE_BASE_URL",
    "LITELLM_BASE_URL",
];

/// Returns the loopback servers that the base-URL settings of an environment name, each once.
pub fn loopback_servers(environment: &BTreeMap<String, String>) -> Vec<SocketAddr> {
    let mut servers: Vec<SocketAddr> =
        base_urls(environment).flat_map(|(name, value)| servers_of(name, value)).collect();
    servers.sort_unstable();
    servers.dedup();
    servers.truncate(RELAYS_MAX);
    servers
}

/// Returns the base-URL settings of an environment that name a server on the loopback device.
pub(crate) fn base_urls(environment: &BTreeMap<String, String>) -> impl Iterator<Item = (&str, &str)> {
    BASE_URLS.iter().filter_map(|name| {
        let value = environment.get(*name)?;
        (!servers_of(name, value).is_empty()).then_some((*name, value.as_str()))
    })
}

/// Reads `http://host:port/path`, and for those programs that take less, `host:port` and `host`.
fn servers_of(name: &str, value: &str) -> Vec<SocketAddr> {
    let value = value.trim();
    let (port_default, place) = match value.split_once("://") {
        Some(("http", rest)) => (80, rest),
        Some(("https", rest)) => (443, rest),
        Some(_) => return Vec::new(),
        None if name.starts_with("OLLAMA") => (11_434, value),
        None => (80, value),
    };
    let place = place.split(['/', '?', '#']).next().unwrap_or_default();
    let place = place.rsplit('@').next().unwrap_or_default();
    let (host, port) = match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, after)) => (host, after.strip_prefix(':')),
        None => match place.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') => (host, Some(port)),
            _ => (place, None),
        },
    };
    let port = match port {
        Some(port) => port.parse().unwrap_or(0),
        None => port_default,
    };
    let both = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    let addresses = match host.parse::<IpAddr>() {
        Ok(address) if address.is_loopback() => vec![address],
        // Programs take it for an address to connect to as well.
        Ok(IpAddr::V4(address)) if address.is_unspecified() => vec![both[0]],
        Ok(_) => Vec::new(),
        Err(_) if host.eq_ignore_ascii_case("localhost") => both.into(),
        Err(_) => Vec::new(),
    };
    addresses.into_iter().filter(|_| port > 0).map(|address| SocketAddr::new(address, port)).collect()
}

/// The relay to one server; it ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Relay {
    listener: TcpListener,
}

impl Relay {
    /// Starts to serve a socket of the inside, in threads of its own.
    pub(crate) fn serve(listener: OwnedFd, server: SocketAddr) -> io::Result<Self> {
        let relay = Self { listener: TcpListener::from(listener) };
        let (listener, connections) = (relay.listener.try_clone()?, Arc::new(AtomicUsize::new(0)));
        thread::spawn(move || {
            while let Some(client) = accepted(&listener) {
                if connections.fetch_add(1, Ordering::Relaxed) >= CONNECTIONS_MAX {
                    connections.fetch_sub(1, Ordering::Relaxed);
                    continue;
                }
                let connections = Arc::clone(&connections);
                thread::spawn(move || {
                    // A client or server that goes away is nobody's failure.
                    let _ =
                        TcpStream::connect_timeout(&server, PATIENCE).and_then(|server| join(client, server));
                    connections.fetch_sub(1, Ordering::Relaxed);
                });
            }
        });
        Ok(relay)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // Wakes the thread that accepts.
        let _ = rustix::net::shutdown(&self.listener, Shutdown::Both);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(name: &str, value: &str) -> Vec<String> {
        let environment = BTreeMap::from([(name.to_owned(), value.to_owned())]);
        loopback_servers(&environment).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn only_servers_of_the_loopback_device_are_relayed_to() {
        assert_eq!(servers("OPENAI_BASE_URL", "http://127.0.0.1:8080/v1"), ["127.0.0.1:8080"]);
        assert_eq!(servers("ANTHROPIC_BASE_URL", "http://[::1]:9/"), ["[::1]:9"]);
        assert_eq!(servers("OLLAMA_HOST", "localhost"), ["127.0.0.1:11434", "[::1]:11434"]);
        assert_eq!(servers("OLLAMA_HOST", "0.0.0.0:1234"), ["127.0.0.1:1234"]);
        assert_eq!(servers("CODEX_HTTP_URL", "http://127.0.0.2"), ["127.0.0.2:80"]);
        for other in
            ["http://10.0.0.1:80", "https://api.openai.com/v1", "", "http://127.0.0.1:x", "ftp://127.0.0.1"]
        {
            assert!(servers("OPENAI_BASE_URL", other).is_empty(), "{other}");
        }
        assert!(servers("SOME_OTHER_URL", "http://127.0.0.1:8080").is_empty());
    }
}
