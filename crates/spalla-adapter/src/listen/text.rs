//! Words: every line is one of the agent's own, or an event.

use super::{events, hostile};
use crate::heard::Heard;
use spalla_domain::agent_event::read_text;

pub(super) fn hear(line: &[u8]) -> Vec<Heard> {
    match read_text(line) {
        Err(why) => hostile(line, &why),
        Ok(text) => match events::in_words(text) {
            Some(event) => vec![Heard::Event(event)],
            None => vec![Heard::Words(text.to_owned())],
        },
    }
}
