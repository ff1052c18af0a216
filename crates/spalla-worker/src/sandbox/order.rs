//! What worker and supervisor say to each other over their socket: one order, then reports. A byte after the
//! order, or the end of the stream, is the wish to end.

use serde::{Deserialize, Serialize};
use spalla_crash::crash_point;
use std::collections::BTreeMap;
use std::io::{self, Read, Write};

/// The largest order, in bytes, without what the command reads: an environment and arguments that a kernel takes
/// are far smaller.
const ORDER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The most that a command is given to read, in bytes.
const STDIN_BYTES_MAX: usize = 256 * 1024 * 1024;

/// The command to start.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Order {
    pub(super) program: String,
    pub(super) args: Vec<String>,
    pub(super) cwd: String,
    pub(super) env: BTreeMap<String, String>,
    pub(super) grace_ms: i64,
}

/// What the supervisor tells.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Report {
    Started { pid: u32 },
    NotStarted { reason: String, missing: bool },
    Ended { code: i32, signal: Option<i32>, leftovers: u32, survivors: u32 },
}

impl Order {
    /// Writes the lengths of both parts, the order, and what the command reads.
    pub(super) fn to_bytes(&self, stdin: &[u8]) -> io::Result<Vec<u8>> {
        let order = serde_json::to_vec(self)?;
        let mut bytes = Vec::with_capacity(8 + order.len() + stdin.len());
        bytes.extend(length(order.len(), ORDER_BYTES_MAX)?.to_be_bytes());
        bytes.extend(length(stdin.len(), STDIN_BYTES_MAX)?.to_be_bytes());
        bytes.extend(order);
        bytes.extend(stdin);
        Ok(bytes)
    }

    /// Reads an order and what the command reads.
    pub(super) fn read(mut from: impl Read) -> io::Result<(Self, Vec<u8>)> {
        let order = read_length(&mut from, ORDER_BYTES_MAX)?;
        let stdin = read_length(&mut from, STDIN_BYTES_MAX)?;
        let order = serde_json::from_slice(&read_exactly(&mut from, order)?)?;
        Ok((order, read_exactly(&mut from, stdin)?))
    }
}

impl Report {
    /// Writes the report as one line.
    pub(super) fn write(&self, mut to: impl Write) -> io::Result<()> {
        let mut line = serde_json::to_vec(self)?;
        line.push(b'\n');
        crash_point!("supervisor.report.send", to.write_all(&line))
    }
}

fn too_long() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the order to the supervisor is too long")
}

fn length(len: usize, max: usize) -> io::Result<u32> {
    u32::try_from(len).ok().filter(|_| len <= max).ok_or_else(too_long)
}

fn read_length(from: &mut impl Read, max: usize) -> io::Result<usize> {
    let mut bytes = [0; 4];
    from.read_exact(&mut bytes)?;
    usize::try_from(u32::from_be_bytes(bytes)).ok().filter(|len| *len <= max).ok_or_else(too_long)
}

fn read_exactly(from: &mut impl Read, len: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; len];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_arrives_as_it_was_sent() {
        let order = Order {
            program: "sh".into(),
            args: vec!["-c".into(), "é".into()],
            cwd: "/".into(),
            env: [("A".into(), "b".into())].into(),
            grace_ms: 3,
        };
        let bytes = order.to_bytes(b"in\0put").unwrap();
        assert_eq!(Order::read(&bytes[..]).unwrap(), (order, b"in\0put".to_vec()));
    }

    #[test]
    fn an_order_that_is_cut_or_absurd_is_an_error() {
        assert!(Order::read(&b"\xff\xff\xff\xff\0\0\0\0"[..]).is_err());
        assert!(Order::read(&b"\0\0\0\x05\0\0\0\0{}"[..]).is_err());
        assert!(Order::read(&b""[..]).is_err());
    }
}
