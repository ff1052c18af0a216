//! Events of a run, on the wire.

use super::{HttpCoordinator, json, run_path, send};
use crate::coordinator::CoordinatorError;
use reqwest::header::CONTENT_TYPE;
use serde::Serialize;
use serde_json::{Map, Value};
use spalla_domain::agent_event::AgentEventType;
use spalla_domain::claim::Heartbeat;
use spalla_domain::run_event::RunEvent;

impl HttpCoordinator {
    /// Sends events of a run.
    pub(super) async fn send_events(
        &self,
        run: Heartbeat,
        events: Vec<RunEvent>,
    ) -> Result<(), CoordinatorError> {
        let request = self.post(&run_path(run.run_id, "events"))?;
        let request = request.header("X-Fencing-Token", run.fencing_token.to_string());
        let body = json(&EventsBody::of(&events))?;
        send(request.header(CONTENT_TYPE, "application/json").body(body)).await.map(drop)
    }
}

/// Events that are told at once.
#[derive(Serialize)]
struct EventsBody<'a> {
    events: Vec<EventBody<'a>>,
}

impl<'a> EventsBody<'a> {
    /// Describes the events.
    fn of(events: &'a [RunEvent]) -> Self {
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
