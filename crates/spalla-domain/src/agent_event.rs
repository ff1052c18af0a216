//! What agents tell while they work: events of a few types, whatever their command lines print.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The longest line that is read as one event where nobody says otherwise, in bytes.
pub const LINE_BYTES_MAX: usize = 1024 * 1024;
/// The deepest nesting of an event where nobody says otherwise.
pub const DEPTH_MAX: usize = 64;
/// The most of a line that can't be an event that is shown, in characters.
pub const EXCERPT_CHARS: usize = 200;

/// The member of a blocker that says that something was not allowed: nobody says it, it was met.
pub const DENIED: &str = "denied";

/// What an event means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AgentEventType {
    /// How the agent is: it began, it waits, it goes on.
    Status,
    /// Something was done.
    Progress,
    /// Something was found out.
    Finding,
    /// A plan, or a part of one.
    Task,
    /// The agent can't go on.
    Blocker,
    /// A piece of work is done.
    Milestone,
    /// Peers are asked for their opinion, or give one.
    Review,
    /// Something went wrong.
    Error,
}

impl AgentEventType {
    /// Returns the word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Progress => "progress",
            Self::Finding => "finding",
            Self::Task => "task",
            Self::Blocker => "blocker",
            Self::Milestone => "milestone",
            Self::Review => "review",
            Self::Error => "error",
        }
    }
}

/// One event of an agent: what it has to say, before anybody filled in who and when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentEvent {
    /// What it means.
    #[serde(rename = "type")]
    pub kind: AgentEventType,
    /// What it says.
    #[serde(default)]
    pub payload: Payload,
}

/// What an event says. Members that nobody knows are kept.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Payload {
    /// In words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// How far the work is, from 0 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<f64>,
    /// The file that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Everything else.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

impl AgentEvent {
    /// Makes an event that says something in words.
    pub fn new(kind: AgentEventType, text: impl Into<String>) -> Self {
        Self { kind, payload: Payload { text: Some(text.into()), ..Payload::default() } }
    }

    /// Adds the file that it is about.
    #[must_use]
    pub fn of_file(mut self, file: impl Into<String>) -> Self {
        self.payload.file = Some(file.into());
        self
    }

    /// Adds a member to what it says.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.payload.more.insert(name.to_owned(), value.into());
        self
    }

    /// Makes the event of a line that can't be one: what is wrong with it, and how it begins.
    pub fn of_hostile_line(line: &[u8], why: &str) -> Self {
        let head = &line[..line.len().min(EXCERPT_CHARS * 4)];
        let excerpt: String = String::from_utf8_lossy(head).chars().take(EXCERPT_CHARS).collect();
        Self::new(AgentEventType::Error, format!("a line that can't be read as an event: {why}"))
            .with("excerpt", excerpt)
            .with("bytes", line.len())
    }
}

/// Up to where a line is read as one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The longest line, in bytes.
    pub bytes: usize,
    /// The deepest nesting.
    pub depth: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { bytes: LINE_BYTES_MAX, depth: DEPTH_MAX }
    }
}

impl Bounds {
    /// Reads a line as text. What it can't be read for is an error event's reason.
    pub fn read_text(self, line: &[u8]) -> Result<&str, String> {
        if line.len() > self.bytes {
            return Err(format!("it has {} bytes; at most {} are read", line.len(), self.bytes));
        }
        std::str::from_utf8(line).map_err(|error| format!("it is not UTF-8: {error}"))
    }

    /// Refuses text that would be nested too deep as JSON.
    pub fn check_depth(self, text: &str) -> Result<(), String> {
        if depth(text) > self.depth {
            Err(format!("it is nested more than {} deep", self.depth))
        } else {
            Ok(())
        }
    }

    /// Reads a line that should be JSON. What it can't be read for is an error event's reason.
    pub fn read_json(self, line: &[u8]) -> Result<Value, String> {
        let text = self.read_text(line)?;
        self.check_depth(text)?;
        serde_json::from_str(text).map_err(|error| format!("it is not JSON: {error}"))
    }
}

/// Returns how deep brackets are nested outside strings; whatever is no JSON is refused by its reader.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest, mut in_string, mut is_escaped) = (0_usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_string => is_escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_members_of_a_payload_are_kept() {
        let line = r#"{"type":"finding","payload":{"text":"a","line":3,"progress":50}}"#;
        let event: AgentEvent = serde_json::from_str(line).unwrap();
        assert_eq!((event.kind, event.payload.progress), (AgentEventType::Finding, Some(50.0)));
        assert_eq!(event.payload.more["line"], 3);
        assert_eq!(serde_json::to_value(&event).unwrap()["payload"]["line"], 3);
    }

    #[test]
    fn lines_beyond_the_limits_are_refused_with_the_reason() {
        let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let usual = Bounds::default();
        assert!(usual.read_json(deep(DEPTH_MAX).as_bytes()).is_ok());
        assert!(usual.read_json(deep(DEPTH_MAX + 1).as_bytes()).unwrap_err().contains("nested"));
        assert!(usual.read_json(&vec![b' '; LINE_BYTES_MAX + 1]).unwrap_err().contains("bytes"));
        assert!(usual.read_json(b"\xff{}").unwrap_err().contains("UTF-8"));
        assert!(usual.read_json(b"{\"a\":").unwrap_err().contains("JSON"));
        assert!(usual.read_json(br#"{"a":"[[[[\"{{{{"}"#).is_ok());
    }

    #[test]
    fn whoever_sets_other_bounds_is_read_up_to_these() {
        let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let narrow = Bounds { bytes: 12, depth: 2 };
        assert!(narrow.read_json(deep(2).as_bytes()).is_ok());
        assert_eq!(narrow.read_json(deep(3).as_bytes()).unwrap_err(), "it is nested more than 2 deep");
        assert_eq!(narrow.read_json(&[b' '; 13]).unwrap_err(), "it has 13 bytes; at most 12 are read");
        // The deepest that can be set is read: no reader behind it gives up sooner.
        let (_, deepest) = crate::limits::Limit::EventDepth.range();
        let wide = Bounds { depth: usize::try_from(deepest).unwrap(), ..Bounds::default() };
        assert!(wide.read_json(deep(wide.depth).as_bytes()).is_ok());
        assert!(wide.read_json(deep(wide.depth + 1).as_bytes()).unwrap_err().contains("nested"));
    }

    #[test]
    fn a_hostile_line_becomes_an_error_with_its_beginning() {
        let event = AgentEvent::of_hostile_line(&[0xff; 5_000], "it is not UTF-8");
        assert_eq!(event.kind, AgentEventType::Error);
        assert_eq!(event.payload.more["excerpt"].as_str().unwrap().chars().count(), EXCERPT_CHARS);
        assert_eq!(event.payload.more["bytes"], 5_000);
    }
}
