//! Events that are told of a run while it goes on, by its worker or its agent, on their way into the log of events: what of
//! them is taken, and how often.

use crate::agent_event::{AgentEvent, AgentEventType};
use crate::problem::Code;
use crate::session::session_of;
use crate::work_item::WORD_CHARS_MAX;
use crate::{Refusal, RunId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::VecDeque;

/// The most events that are told at once.
pub const EVENTS_AT_ONCE: usize = 256;
/// The most events of one run that are kept.
pub const RUN_EVENTS_MAX: u32 = 10_000;
/// The most that is kept of what the events of one run say, in bytes.
pub const RUN_EVENTS_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// The most that one event says, in bytes of JSON without spaces.
pub const PAYLOAD_BYTES_MAX: usize = 64 * 1024;
/// How deep it is nested at most.
pub const PAYLOAD_DEPTH_MAX: usize = 32;
/// The longest name that its teller gives an event, in bytes.
pub const EVENT_ID_BYTES_MAX: usize = 64;
/// The member of an event that names a tool that the agent's definition does not let it use: such an event is audited.
pub const REFUSED_TOOL: &str = "refused_tool";
/// How many of these names are known of a run: whoever repeats a batch has told few others since.
const IDS_KEPT: usize = 2 * EVENTS_AT_ONCE;
/// How much is left of a text that does not fit, in bytes; written as JSON it may be six times as long.
const CUT_TEXT_BYTES: usize = 8 * 1024;
/// How much is left of a file's name that does not fit, in bytes.
const CUT_FILE_BYTES: usize = 1024;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
const fn is_none(count: &u32) -> bool {
    *count == 0
}

/// An event as it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunEvent {
    /// What it means.
    pub kind: AgentEventType,
    /// Whose it is, where that is not the work item's agent.
    pub agent: Option<String>,
    /// Its name among the events of its run: what is told twice under one name is one event.
    pub id: Option<String>,
    /// What it says.
    pub payload: Map<String, Value>,
}

/// An event as it is in the log of events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// What it means.
    #[serde(rename = "type")]
    pub kind: AgentEventType,
    /// Whose it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The session that its work item is a part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// What it says.
    pub payload: Map<String, Value>,
}

/// What is known of the events of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunEvents {
    /// Whose.
    pub run_id: RunId,
    /// The agent of its work item, whose they are where nobody says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The session that its work item is a part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// How many are kept.
    pub told: u32,
    /// How much they say, in bytes.
    pub bytes: u64,
    /// Whether it was told that no more are kept.
    pub is_full: bool,
    /// How many messages were sent in it.
    #[serde(default, skip_serializing_if = "is_none")]
    pub messages: u32,
    /// The newest names, oldest first.
    pub ids: VecDeque<String>,
}

impl RunEvent {
    /// Makes an event of what an agent said; what is too large is cut.
    pub fn of(event: &AgentEvent) -> Self {
        let payload = match serde_json::to_value(&event.payload) {
            Ok(Value::Object(payload)) => payload,
            // A payload is always an object; one that can't be written says nothing.
            _ => Map::new(),
        };
        let mut told = Self { kind: event.kind, agent: None, id: None, payload };
        told.cut();
        told
    }

    /// Refuses what can't be kept.
    pub fn check(&self) -> Result<(), Refusal> {
        let odd = |text: &str| text.trim().is_empty() || text.chars().any(char::is_control);
        let agent = self.agent.as_deref();
        if agent.is_some_and(|name| odd(name) || name.chars().count() > WORD_CHARS_MAX) {
            return Err(invalid(format!("agent: a name has 1 to {WORD_CHARS_MAX} plain characters")));
        }
        if self.id.as_deref().is_some_and(|id| odd(id) || id.len() > EVENT_ID_BYTES_MAX) {
            return Err(invalid(format!(
                "id: a name has 1 to {EVENT_ID_BYTES_MAX} bytes and plain characters"
            )));
        }
        check_payload(&self.payload).map_err(|why| invalid(format!("payload: {why}")))
    }

    /// Returns how much it says, in bytes of JSON without spaces.
    pub fn bytes(&self) -> usize {
        size(&self.payload)
    }

    /// Cuts what the event says to what is kept: of one that is too large or too deep, the beginning of its text is left.
    pub fn cut(&mut self) {
        cut_payload(&mut self.payload);
    }
}

/// Cuts what is said to what is kept: of a payload that is too large or too deep, the beginning of its text is left.
pub fn cut_payload(payload: &mut Map<String, Value>) {
    if check_payload(payload).is_err() {
        let before = std::mem::take(payload);
        let texts = [("text", CUT_TEXT_BYTES), ("file", CUT_FILE_BYTES)];
        for (name, bytes) in texts {
            if let Some(text) = before.get(name).and_then(Value::as_str) {
                let text = &text[..text.floor_char_boundary(bytes)];
                payload.insert(name.to_owned(), text.into());
            }
        }
        if let Some(progress) = before.get("progress").filter(|progress| progress.is_number()) {
            payload.insert("progress".to_owned(), progress.clone());
        }
        payload.insert("cut".to_owned(), true.into());
    }
}

/// Says why a payload can't be kept, where that is so.
pub fn check_payload(payload: &Map<String, Value>) -> Result<(), String> {
    // Whoever nests so deep that writing it would fail is told of the depth.
    if payload.values().any(|value| is_deeper(value, PAYLOAD_DEPTH_MAX - 1)) {
        return Err(format!("it is nested more than {PAYLOAD_DEPTH_MAX} deep"));
    }
    match size(payload) {
        bytes if bytes > PAYLOAD_BYTES_MAX => {
            Err(format!("it has {bytes} bytes of JSON; at most {PAYLOAD_BYTES_MAX} are kept"))
        }
        _ => Ok(()),
    }
}

fn is_deeper(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(values) => levels == 0 || values.iter().any(|value| is_deeper(value, levels - 1)),
        Value::Object(values) => levels == 0 || values.values().any(|value| is_deeper(value, levels - 1)),
        _ => false,
    }
}

/// Returns how long a payload is as JSON without spaces.
fn size(payload: &Map<String, Value>) -> usize {
    serde_json::to_string(payload).map_or(usize::MAX, |json| json.len())
}

fn invalid(detail: String) -> Refusal {
    Refusal::new(Code::Invalid, detail)
}

impl RunEvents {
    /// Begins with nothing told of the run of a work item with this agent and these labels.
    pub fn new(run_id: RunId, agent: Option<String>, labels: &[String]) -> Self {
        let session_id = session_of(labels).map(str::to_owned);
        Self {
            run_id,
            agent,
            session_id,
            told: 0,
            bytes: 0,
            is_full: false,
            messages: 0,
            ids: VecDeque::new(),
        }
    }

    /// Returns an event of the run as it is in the log of events.
    pub fn entry(&self, event: RunEvent) -> Told {
        let RunEvent { kind, agent, payload, .. } = event;
        let agent = agent.or_else(|| self.agent.clone());
        Told { kind, agent, session_id: self.session_id.clone(), payload }
    }

    /// Returns what is new of some events, as far as the run may have more. The first one that is too many is told of by
    /// one further event.
    pub fn take(&mut self, events: &[RunEvent]) -> Vec<RunEvent> {
        let mut new = Vec::with_capacity(events.len());
        for event in events {
            if self.is_full || event.id.as_ref().is_some_and(|id| self.ids.contains(id)) {
                continue;
            }
            let bytes = u64::try_from(event.bytes()).unwrap_or(u64::MAX);
            let bytes = self.bytes.saturating_add(bytes);
            if self.told >= RUN_EVENTS_MAX || bytes > RUN_EVENTS_BYTES_MAX {
                self.is_full = true;
                new.push(self.notice());
                continue;
            }
            (self.told, self.bytes) = (self.told + 1, bytes);
            self.know(event.id.as_ref());
            new.push(event.clone());
        }
        new
    }

    fn know(&mut self, id: Option<&String>) {
        let Some(id) = id else { return };
        if self.ids.len() == IDS_KEPT {
            self.ids.pop_front();
        }
        self.ids.push_back(id.clone());
    }

    fn notice(&self) -> RunEvent {
        let text = format!(
            "the run has told {} events of {} bytes; no more of its events are kept",
            self.told, self.bytes
        );
        RunEvent::of(&AgentEvent::new(AgentEventType::Error, text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event(id: Option<&str>) -> RunEvent {
        RunEvent { id: id.map(str::to_owned), ..RunEvent::of(&AgentEvent::new(AgentEventType::Finding, "x")) }
    }

    fn untold() -> RunEvents {
        RunEvents::new(RunId(1), Some("codex".into()), &["session:orch_1".into()])
    }

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn an_event_is_the_item_s_agent_s_unless_it_says_otherwise() {
        let own = untold().entry(event(None));
        assert_eq!((own.agent.as_deref(), own.session_id.as_deref()), (Some("codex"), Some("orch_1")));
        let other = untold().entry(RunEvent { agent: Some("claude".into()), ..event(None) });
        assert_eq!(other.agent.as_deref(), Some("claude"));
    }

    #[test]
    fn one_name_is_one_event_and_nameless_ones_are_all_different() {
        let mut known = untold();
        let told = [event(Some("a")), event(None), event(Some("a")), event(None), event(Some("b"))];
        assert_eq!(known.take(&told).len(), 4);
        assert_eq!(known.take(&told).len(), 2);
    }

    #[test]
    fn a_batch_can_be_repeated_while_few_others_were_told_since() {
        let mut known = untold();
        let batch = |name: &str| -> Vec<_> {
            (0..EVENTS_AT_ONCE).map(|n| event(Some(&format!("{name}{n}")))).collect()
        };
        assert_eq!(known.take(&batch("a")).len(), EVENTS_AT_ONCE);
        assert_eq!(known.take(&batch("b")).len(), EVENTS_AT_ONCE);
        assert_eq!((known.take(&batch("a")).len(), known.ids.len()), (0, IDS_KEPT));
    }

    #[test]
    fn a_run_that_tells_too_much_says_so_once() {
        let mut known = RunEvents { told: RUN_EVENTS_MAX - 1, ..untold() };
        let told = known.take(&[event(None), event(None), event(None)]);
        let kinds: Vec<_> = told.iter().map(|event| event.kind).collect();
        assert_eq!(kinds, [AgentEventType::Finding, AgentEventType::Error]);
        assert_eq!(known.take(&[event(None)]), []);
        let mut known = RunEvents { bytes: RUN_EVENTS_BYTES_MAX, ..untold() };
        assert_eq!(known.take(&[event(None)])[0].kind, AgentEventType::Error);
    }

    #[test]
    fn what_is_too_large_or_too_deep_is_refused_and_can_be_cut() {
        let mut deep = json!(1);
        for _ in 0..PAYLOAD_DEPTH_MAX {
            deep = json!([deep]);
        }
        let large = "\u{1}".repeat(PAYLOAD_BYTES_MAX);
        for payload in
            [json!({"text": "why", "progress": 5, "deep": deep}), json!({"text": large, "file": large})]
        {
            let mut event = RunEvent { payload: object(payload), ..event(None) };
            assert_eq!(event.check().unwrap_err().code, Code::Invalid);
            event.cut();
            event.check().unwrap();
            assert_eq!(event.payload["cut"], true);
            assert!(event.payload["text"].as_str().is_some_and(|text| !text.is_empty()));
        }
        let fits = json!({"a": (1..PAYLOAD_DEPTH_MAX).fold(json!(1), |inner, _| json!([inner]))});
        let before = RunEvent { payload: object(fits), ..event(None) };
        let mut event = before.clone();
        event.cut();
        assert_eq!((event.check(), event), (Ok(()), before));
    }

    #[test]
    fn odd_names_are_refused() {
        for odd in ["", " ", "a\nb"] {
            assert!(event(Some(odd)).check().is_err(), "{odd:?}");
            assert!(RunEvent { agent: Some(odd.into()), ..event(None) }.check().is_err(), "{odd:?}");
        }
        assert!(event(Some(&"x".repeat(EVENT_ID_BYTES_MAX + 1))).check().is_err());
        assert!(event(Some("run-1-7")).check().is_ok());
    }
}
