//! Words: every line is one of the agent's own, and may be an event.

use super::words;
use crate::heard::Heard;

pub(super) fn hear(line: &[u8]) -> Vec<Heard> {
    words(&String::from_utf8_lossy(line))
}
