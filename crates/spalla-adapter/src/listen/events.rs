//! Events that an agent prints itself, a line of JSON for each: `{"type": …, "payload": {…}}`. Lines that are not meant as
//! events are its words.

use super::hostile;
use crate::heard::Heard;
use serde::Deserialize as _;
use serde_json::Value;
use spalla_domain::agent_event::{AgentEvent, Bounds};

/// Hears a line of an agent that prints events. What was meant as an event and is none is heard as an error.
pub(super) fn hear(line: &[u8], bounds: Bounds) -> Vec<Heard> {
    let text = match bounds.read_text(line).and_then(|text| bounds.check_depth(text).map(|()| text)) {
        Ok(text) => text,
        Err(why) => return hostile(line, &why),
    };
    let words = || vec![Heard::Words(text.to_owned())];
    if !text.trim_start().starts_with('{') {
        return words();
    }
    match bounds.read_json(line) {
        Err(why) => hostile(line, &why),
        Ok(value) if value.get("type").is_none() => words(),
        Ok(value) => match read(&value) {
            Ok(event) => vec![Heard::Event(event)],
            Err(why) => hostile(line, &why),
        },
    }
}

/// Returns the event that a line of JSON is, whichever command line printed it: none of their own lines has a payload.
pub(super) fn of(value: &Value) -> Option<AgentEvent> {
    read(value).ok()
}

/// Returns the event that a line among words is; mostly it is none.
pub(super) fn in_words(line: &str, bounds: Bounds) -> Option<AgentEvent> {
    let line = line.trim();
    if !line.starts_with('{') || !line.contains("\"type\"") {
        return None;
    }
    of(&bounds.read_json(line.as_bytes()).ok()?)
}

fn read(value: &Value) -> Result<AgentEvent, String> {
    if !value.get("payload").is_some_and(Value::is_object) {
        return Err("it has no payload that is an object".into());
    }
    AgentEvent::deserialize(value).map_err(|error| error.to_string())
}
