//! What a supervisor and whoever started it say to each other over their socket: one order, or one for the walls and one
//! for their command, then words. A byte after the last order, or the end of the stream, is the wish to end.

use crate::attestation::Attestation;
use crate::command_line::Order;
use crate::policy::Layer;
use crate::proxy::RefusedHost;
use crate::refusal::Refusal;
use crate::survival::Survival;
use crate::used::Used;
use serde::{Deserialize, Serialize};
use spalla_crash::crash_point;
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use zeroize::Zeroizing;

/// The largest order, in bytes, without what the command reads: an environment and arguments that a kernel takes
/// are far smaller.
const ORDER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The most that a command is given to read, in bytes.
const STDIN_BYTES_MAX: usize = 256 * 1024 * 1024;

/// The command to supervise.
#[derive(Clone, Serialize, Deserialize)]
pub struct SupervisedOrder {
    /// What it may do, and what it is. With the preset `none` the command's variables are all that it gets, and its
    /// folder is where it starts.
    pub order: Order,
    /// The environment of whoever wants it: where toolchains are, what the policy lists, and the credentials of its
    /// injections.
    pub outside: BTreeMap<String, String>,
    /// The file in which the supervisor writes down how the command ended.
    #[serde(default)]
    pub journal: Option<PathBuf>,
    /// What people see in the list of processes, and what the journal says; none is what the supervisor was started with.
    #[serde(default)]
    pub label: Option<String>,
    /// Whether only the walls are wanted now, for a command of this program. It follows in a second order, which is
    /// carried out if all that the walls depend on is the same there.
    #[serde(default)]
    pub ahead: bool,
    /// What lets the command outlive whoever wants it. Without it their end is the wish to end.
    #[serde(default)]
    pub survival: Option<Survival>,
}

/// What the supervisor tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// The walls stand that were wanted ahead.
    Ready,
    /// They are not those that the command needs now; nothing was started.
    Stale,
    /// The command runs, behind these walls.
    Started {
        /// Which walls stand.
        attestation: Attestation,
        /// The process with which everything behind the walls ends.
        pid: i32,
    },
    /// A wall can't stand; nothing was started.
    Refused {
        /// The wall.
        layer: Layer,
        /// What the system says.
        reason: String,
        /// What to do about it.
        mend: String,
    },
    /// The policy can't be carried out as it is; nothing was started.
    Impossible {
        /// What is wrong, and the mend.
        reason: String,
    },
    /// The walls stand, and the command can't be started.
    NotStarted {
        /// What the system says.
        reason: String,
        /// Whether the program or the folder is not there.
        missing: bool,
    },
    /// The command asked for a host and did not get it.
    HostRefused(RefusedHost),
    /// The command is over, and nothing of it is left.
    Ended {
        /// Its exit status.
        code: i32,
        /// The signal that ended it.
        signal: Option<i32>,
        /// How many processes were left when it was over.
        leftovers: u32,
        /// How many even the kernel did not end.
        survivors: u32,
        /// Whether it was ended because the policy's time was over.
        timed_out: bool,
        /// The limit that it reached, in words.
        exceeded: Option<String>,
        /// How many bytes of its output are not kept.
        #[serde(default)]
        dropped: u64,
        /// Whether it was ended because nobody took it up again in time.
        #[serde(default)]
        lost: bool,
        /// How much of the machine it used.
        #[serde(default)]
        used: Used,
    },
}

/// Shows of the environment only the names: there may be credentials in it.
impl fmt::Debug for SupervisedOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SupervisedOrder")
            .field("order", &self.order)
            .field("outside", &self.outside.keys())
            .field("journal", &self.journal)
            .field("label", &self.label)
            .field("ahead", &self.ahead)
            .field("survival", &self.survival)
            .finish()
    }
}

impl SupervisedOrder {
    /// Tells whether walls that were put up for one of two orders are those of the other as far as orders say.
    pub fn wants_same_walls(&self, other: &Self) -> bool {
        self.order.policy == other.order.policy
            && self.outside == other.outside
            && self.journal == other.journal
    }

    /// Writes the lengths of both parts, the order, and what the command reads.
    pub fn to_bytes(&self, stdin: &[u8]) -> io::Result<Vec<u8>> {
        let order = serde_json::to_vec(self)?;
        let mut bytes = Vec::with_capacity(8 + order.len() + stdin.len());
        bytes.extend(length(order.len(), ORDER_BYTES_MAX)?.to_be_bytes());
        bytes.extend(length(stdin.len(), STDIN_BYTES_MAX)?.to_be_bytes());
        bytes.extend(order);
        bytes.extend(stdin);
        Ok(bytes)
    }

    /// Reads an order and what the command reads.
    pub(crate) fn read(mut from: impl Read) -> io::Result<(Self, Vec<u8>)> {
        let order = read_length(&mut from, ORDER_BYTES_MAX)?;
        let stdin = read_length(&mut from, STDIN_BYTES_MAX)?;
        // There may be credentials in it.
        let order = serde_json::from_slice(&Zeroizing::new(read_exactly(&mut from, order)?))?;
        Ok((order, read_exactly(&mut from, stdin)?))
    }
}

impl Word {
    /// Writes the word as one line.
    pub(crate) fn write(&self, to: impl Write) -> io::Result<()> {
        send(&self.to_line()?, to)
    }

    /// Returns the word as one line.
    pub(crate) fn to_line(&self) -> io::Result<Vec<u8>> {
        let mut line = serde_json::to_vec(self)?;
        line.push(b'\n');
        Ok(line)
    }

    /// Tells whether nothing comes after it.
    pub(crate) fn is_last(&self) -> bool {
        match self {
            Self::Ready | Self::Started { .. } | Self::HostRefused(_) => false,
            Self::Stale
            | Self::Refused { .. }
            | Self::Impossible { .. }
            | Self::NotStarted { .. }
            | Self::Ended { .. } => true,
        }
    }
}

/// Sends words that are lines already.
pub(crate) fn send(lines: &[u8], mut to: impl Write) -> io::Result<()> {
    crash_point!("supervisor.report.send", to.write_all(lines))
}

impl From<Refusal> for Word {
    fn from(refusal: Refusal) -> Self {
        let Refusal { layer, reason, mend } = refusal;
        Self::Refused { layer, reason, mend }
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
    use crate::policy::{Policy, Preset};
    use crate::supervise::Command;

    #[test]
    fn an_order_arrives_as_it_was_sent() {
        let command =
            Command { program: "sh".into(), arguments: vec!["-c".into(), "é".into()], ..Command::default() };
        let order = Order { policy: Policy::new(Preset::Strict, "/w".into()), command: command.clone() };
        let outside = [("A".into(), "b".into())].into();
        let sent =
            SupervisedOrder { order, outside, journal: None, label: None, ahead: false, survival: None };
        let bytes = sent.to_bytes(b"in\0put").unwrap();
        let (came, input) = SupervisedOrder::read(&bytes[..]).unwrap();
        assert_eq!((came.order.command, came.outside), (command, sent.outside));
        assert_eq!((came.order.policy, input), (sent.order.policy, b"in\0put".to_vec()));
    }

    #[test]
    fn an_order_shows_no_value_of_the_environment() {
        let order = Order { policy: Policy::new(Preset::Strict, "/w".into()), command: Command::default() };
        let outside = [("KEY".into(), "what nobody may know".into())].into();
        let shown = format!(
            "{:?}",
            SupervisedOrder { order, outside, journal: None, label: None, ahead: false, survival: None }
        );
        assert!(shown.contains("KEY") && !shown.contains("nobody"), "{shown}");
    }

    #[test]
    fn an_order_that_is_cut_or_absurd_is_an_error() {
        assert!(SupervisedOrder::read(&b"\xff\xff\xff\xff\0\0\0\0"[..]).is_err());
        assert!(SupervisedOrder::read(&b"\0\0\0\x05\0\0\0\0{}"[..]).is_err());
        assert!(SupervisedOrder::read(&b""[..]).is_err());
    }
}
