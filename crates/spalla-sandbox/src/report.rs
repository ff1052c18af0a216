//! What the init tells the supervisor: one message each, in order.

use crate::policy::Layer;
use crate::refusal::Refusal;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use serde::{Deserialize, Serialize};
use std::io;
use std::os::fd::AsFd;

/// The longest message, in bytes; a reason is a sentence.
const MESSAGE_BYTES_MAX: usize = 16 * 1024;

/// One message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Report {
    /// The command runs; the walls that the inside puts up stand like this, but for those that are missing.
    Started { landlock_abi: i32, missing: Vec<Missing> },
    /// A wall did not stand, and nothing was started.
    Refused { layer: Layer, reason: String, mend: String },
    /// The walls stand but the program can't be started.
    NotStarted { reason: String },
    /// The command is over.
    Ended { code: i32, signal: Option<i32>, leftovers: u32 },
}

/// A wall that does not stand although it was asked for, since the operator allows that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Missing {
    pub(crate) layer: Layer,
    /// What the system says.
    pub(crate) reason: String,
}

impl From<Refusal> for Report {
    fn from(refusal: Refusal) -> Self {
        let Refusal { layer, reason, mend } = refusal;
        Self::Refused { layer, reason, mend }
    }
}

impl Report {
    pub(crate) fn send(&self, socket: impl AsFd) -> io::Result<()> {
        let text = serde_json::to_vec(self)?;
        send(socket, &text[..text.len().min(MESSAGE_BYTES_MAX)], SendFlags::NOSIGNAL)?;
        Ok(())
    }

    /// Waits for the next message; none when the other side is gone.
    pub(crate) fn receive(socket: impl AsFd) -> io::Result<Option<Self>> {
        let mut buffer = vec![0; MESSAGE_BYTES_MAX];
        let (length, _) = rustix::io::retry_on_intr(|| recv(&socket, &mut buffer[..], RecvFlags::empty()))?;
        match length {
            0 => Ok(None),
            length => Ok(Some(serde_json::from_slice(&buffer[..length])?)),
        }
    }
}
