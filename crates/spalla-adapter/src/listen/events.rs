//! Events that an agent prints itself, a line of JSON for each: `{"type": …, "payload": {…}}`.

use crate::heard::Heard;
use serde_json::Value;
use spalla_domain::agent_event::{AgentEvent, read_json};

/// A line that is no event is heard as an error with an excerpt.
pub(super) fn hear(line: &[u8], value: Value) -> Vec<Heard> {
    match serde_json::from_value(value) {
        Ok(event) => vec![Heard::Event(event)],
        Err(error) => vec![Heard::Event(AgentEvent::of_hostile_line(line, &error.to_string()))],
    }
}

/// Returns the event that a line among words is; mostly it is none.
pub(super) fn in_words(line: &str) -> Option<AgentEvent> {
    let line = line.trim();
    if !line.starts_with('{') || !line.contains("\"type\"") {
        return None;
    }
    let value = read_json(line.as_bytes()).ok()?;
    value.get("payload")?.as_object()?;
    serde_json::from_value(value).ok()
}
