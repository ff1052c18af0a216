//! Events of a run, on the wire.

use serde::Serialize;
use serde_json::{Map, Value};
use spalla_domain::agent_event::AgentEventType;
use spalla_domain::run_event::RunEvent;

/// Events that are told at once.
#[derive(Serialize)]
pub(super) struct EventsBody<'a> {
    events: Vec<EventBody<'a>>,
}

impl<'a> EventsBody<'a> {
    /// Describes the events.
    pub(super) fn of(events: &'a [RunEvent]) -> Self {
        Self { events: events.iter().map(EventBody::of).collect() }
    }
}

#[derive(Serialize)]
struct EventBody<'a> {
    #[serde(rename = "type")]
    kind: AgentEventType,
    payload: &'a Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
}

impl<'a> EventBody<'a> {
    fn of(event: &'a RunEvent) -> Self {
        let RunEvent { kind, agent, id, payload } = event;
        Self { kind: *kind, payload, agent: agent.as_deref(), id: id.as_deref() }
    }
}
