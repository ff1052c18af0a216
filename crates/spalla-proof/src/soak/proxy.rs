//! A proxy between clients and a server that makes the network's faults: cut, stalled and half-closed connections.

use anyhow::{Context as _, Result};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

const BUFFER: usize = 16 << 10;

/// What is wrong with the connections that are open at this moment.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Trouble {
    /// Nothing yet.
    None,
    /// They break.
    Cut,
    /// Nothing gets through until then.
    Stall(Instant),
    /// Requests still arrive, and their answers are lost.
    HalfClose,
}

/// A listening proxy; its connections end with it.
pub(crate) struct Proxy {
    /// The address that clients use.
    pub(crate) url: String,
    trouble: watch::Sender<Trouble>,
    _listening: JoinSet<()>,
}

impl Proxy {
    /// Listens on a free port in front of a server.
    pub(crate) async fn start(server: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("listening")?;
        let url = format!("http://{}", listener.local_addr().context("listening")?);
        let (trouble, seen) = watch::channel(Trouble::None);
        let mut listening = JoinSet::new();
        listening.spawn(listen(listener, server, seen));
        Ok(Self { url, trouble, _listening: listening })
    }

    /// Breaks every open connection.
    pub(crate) fn cut(&self) {
        self.trouble.send_replace(Trouble::Cut);
    }

    /// Lets nothing through for a time.
    pub(crate) fn stall(&self, time: Duration) {
        self.trouble.send_replace(Trouble::Stall(Instant::now() + time));
    }

    /// Ends the way back of every open connection.
    pub(crate) fn half_close(&self) {
        self.trouble.send_replace(Trouble::HalfClose);
    }
}

async fn listen(listener: TcpListener, server: SocketAddr, trouble: watch::Receiver<Trouble>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((client, _)) = accepted {
                    connections.spawn(carry(client, server, trouble.clone()));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn carry(client: TcpStream, server: SocketAddr, mut trouble: watch::Receiver<Trouble>) {
    trouble.mark_unchanged();
    // A server that is away shows itself as a connection that breaks at once.
    let Ok(server) = TcpStream::connect(server).await else { return };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let there = pump(from_client, to_server, trouble.clone(), false);
    let back = pump(from_server, to_client, trouble.clone(), true);
    let cut = async {
        while trouble.changed().await.is_ok() && !matches!(*trouble.borrow_and_update(), Trouble::Cut) {}
    };
    tokio::select! {
        _ = async { tokio::join!(there, back) } => {}
        () = cut => {}
    }
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut trouble: watch::Receiver<Trouble>,
    is_way_back: bool,
) {
    let mut buffer = vec![0; BUFFER];
    loop {
        tokio::select! {
            biased;
            changed = trouble.changed() => {
                let trouble = *trouble.borrow_and_update();
                match trouble {
                    Trouble::Stall(until) => tokio::time::sleep_until(until).await,
                    Trouble::HalfClose if is_way_back => break,
                    _ if changed.is_err() => return,
                    _ => {}
                }
            }
            read = from.read(&mut buffer) => {
                let Ok(count @ 1..) = read else { break };
                if to.write_all(&buffer[..count]).await.is_err() {
                    return;
                }
            }
        }
    }
    // Whoever is at the other end learns of it by reading.
    let _ = to.shutdown().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that echoes, with a proxy in front and a client behind it.
    async fn world() -> (Proxy, TcpStream, JoinSet<()>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let proxy = Proxy::start(listener.local_addr().expect("its address")).await.expect("a proxy");
        let mut server = JoinSet::new();
        server.spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (mut from, mut to) = stream.split();
                let _ = tokio::io::copy(&mut from, &mut to).await;
            }
        });
        let address: SocketAddr = proxy.url.trim_start_matches("http://").parse().expect("an address");
        let mut client = TcpStream::connect(address).await.expect("a connection");
        assert_eq!(echo(&mut client, b"a").await, Some(b'a'));
        (proxy, client, server)
    }

    async fn echo(client: &mut TcpStream, byte: &[u8; 1]) -> Option<u8> {
        client.write_all(byte).await.ok()?;
        client.read_u8().await.ok()
    }

    #[tokio::test]
    async fn a_cut_connection_answers_no_more() {
        let (proxy, mut client, _server) = world().await;
        proxy.cut();
        assert_eq!(echo(&mut client, b"b").await, None);
    }

    #[tokio::test]
    async fn a_stalled_connection_answers_late() {
        let (proxy, mut client, _server) = world().await;
        let begun = Instant::now();
        proxy.stall(Duration::from_millis(80));
        assert_eq!(echo(&mut client, b"b").await, Some(b'b'));
        assert!(begun.elapsed() >= Duration::from_millis(80));
    }

    #[tokio::test]
    async fn a_half_closed_connection_takes_bytes_and_returns_none() {
        let (proxy, mut client, _server) = world().await;
        proxy.half_close();
        assert_eq!(client.read(&mut [0]).await.ok(), Some(0), "the way back has ended");
        assert!(client.write_all(b"b").await.is_ok(), "the way there has not");
    }
}
