//! Ways to talk to somebody outside.

use super::{Ground, Outcome};
use crate::kernel::{Call, attempt};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixStream};
use std::time::Duration;

/// How long an answer may take; whoever answers is on this machine.
const ANSWER: Duration = Duration::from_millis(500);

pub(super) fn tcp4(ground: &Ground) -> Outcome {
    Outcome::of(connect((Ipv4Addr::LOCALHOST, ground.tcp_port).into()))
}

/// Asks the proxy for the same server, as any program would.
pub(super) fn through_proxy(ground: &Ground) -> Outcome {
    let ask = || -> io::Result<String> {
        let mut stream = TcpStream::connect(crate::proxy::ADDRESS)?;
        stream.set_read_timeout(Some(ANSWER))?;
        write!(stream, "CONNECT 127.0.0.1:{} HTTP/1.1\r\n\r\n", ground.tcp_port)?;
        let mut said = String::new();
        let _ = stream.read_to_string(&mut said);
        Ok(said)
    };
    match ask() {
        Ok(said) if said.contains(" 200 ") && said.ends_with('!') => {
            Outcome::Escaped("the server answered".into())
        }
        Ok(said) => Outcome::Held(said.lines().next().unwrap_or_default().to_owned()),
        Err(error) => Outcome::Held(error.to_string()),
    }
}

/// Sends what stands on the standard input behind its first line to the address in that line, and prints what comes back,
/// as it comes.
pub(super) fn talk(_: &Ground) -> Outcome {
    let talk = || -> io::Result<()> {
        let mut said = Vec::new();
        io::stdin().read_to_end(&mut said)?;
        let end = said.iter().position(|byte| *byte == b'\n').unwrap_or(said.len());
        let address = String::from_utf8_lossy(&said[..end]).into_owned();
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(said.get(end + 1..).unwrap_or_default())?;
        let mut heard = [0; 4096];
        loop {
            let length = stream.read(&mut heard)?;
            if length == 0 {
                return Ok(());
            }
            io::stdout().write_all(&heard[..length])?;
            io::stdout().flush()?;
        }
    };
    Outcome::of(talk())
}

pub(super) fn tcp6(ground: &Ground) -> Outcome {
    Outcome::of(connect((Ipv6Addr::LOCALHOST, ground.tcp_port).into()))
}

fn connect(address: SocketAddr) -> io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&address, ANSWER)?;
    stream.set_read_timeout(Some(ANSWER))?;
    stream.read_exact(&mut [0; 1])
}

pub(super) fn udp(ground: &Ground) -> Outcome {
    let ask = || -> io::Result<()> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_read_timeout(Some(ANSWER))?;
        socket.send_to(b"?", (Ipv4Addr::LOCALHOST, ground.udp_port))?;
        socket.recv_from(&mut [0; 1])?;
        Ok(())
    };
    Outcome::of(ask())
}

pub(super) fn unix_path(ground: &Ground) -> Outcome {
    Outcome::of(UnixStream::connect(ground.outside.join("socket")))
}

pub(super) fn unix_abstract(ground: &Ground) -> Outcome {
    let address = UnixAddr::from_abstract_name(&ground.abstract_name);
    Outcome::of(address.and_then(|address| UnixStream::connect_addr(&address)))
}

fn socket(domain: i32, kind: i32, protocol: i32) -> Outcome {
    Outcome::of(attempt(Call::Socket { domain, kind, protocol }))
}

pub(super) fn vsock(_: &Ground) -> Outcome {
    socket(libc::AF_VSOCK, libc::SOCK_STREAM, 0)
}

pub(super) fn packet(_: &Ground) -> Outcome {
    socket(libc::AF_PACKET, libc::SOCK_RAW, 0)
}

pub(super) fn xdp(_: &Ground) -> Outcome {
    socket(libc::AF_XDP, libc::SOCK_RAW, 0)
}

pub(super) fn netlink_audit(_: &Ground) -> Outcome {
    socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_KOBJECT_UEVENT)
}
