//! Words: every line is one of the agent's own, or an event.

use super::{events, hostile};
use crate::heard::Heard;
use spalla_domain::agent_event::Bounds;

pub(super) fn hear(line: &[u8], bounds: Bounds) -> Vec<Heard> {
    match bounds.read_text(line) {
        Err(why) => hostile(line, &why),
        Ok(text) => match events::in_words(text, bounds) {
            Some(event) => vec![Heard::Event(event)],
            None => vec![Heard::Words(text.to_owned())],
        },
    }
}
