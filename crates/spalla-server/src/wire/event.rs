//! Events on the wire.

use serde::Serialize;
use serde_json::Value;
use spalla_domain::event;
use spalla_domain::run_event::Told;
use spalla_domain::{RunId, Timestamp, WorkItemId};
use utoipa::ToSchema;

/// A fact about the past, as the data of a server-sent event.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Event {
    /// Its number, and the event's `id`: send it back as Last-Event-ID to go on after it.
    id: i64,
    /// What happened, such as `run.claimed`; of what a run's agent told, `status`, `progress`, `finding`, `task`, `blocker`,
    /// `milestone`, `review` or `error`.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// When it happened.
    #[schema(value_type = String, format = DateTime)]
    timestamp: Timestamp,
    /// The project it belongs to.
    project_id: i64,
    /// The work item it is about.
    #[schema(value_type = Option<i64>)]
    work_item_id: Option<WorkItemId>,
    /// The run it is about.
    #[schema(value_type = Option<i64>)]
    run_id: Option<RunId>,
    /// Whose it is, where a run's agent told it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    agent: Option<String>,
    /// The session that its run is a part of, where a run's agent told it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    session_id: Option<String>,
    /// The particulars.
    #[schema(value_type = Object)]
    payload: Value,
}

impl From<&event::Event> for Event {
    fn from(event: &event::Event) -> Self {
        if let event::Fact::AgentTold(told) = &event.fact {
            return Self::told(event, told);
        }
        // A fact is tagged with its type and holds its particulars beside, so it always becomes such an object.
        let mut fact = serde_json::to_value(&event.fact).unwrap_or_default();
        Self {
            id: event.seq.0,
            kind: fact["type"].as_str().unwrap_or_default().to_owned(),
            timestamp: event.at,
            project_id: event.project_id.0,
            work_item_id: event.work_item_id,
            run_id: event.run_id,
            agent: None,
            session_id: None,
            payload: fact["payload"].take(),
        }
    }
}

impl Event {
    /// What an agent told has the plain word as its type.
    fn told(event: &event::Event, told: &Told) -> Self {
        Self {
            id: event.seq.0,
            kind: told.kind.as_str().to_owned(),
            timestamp: event.at,
            project_id: event.project_id.0,
            work_item_id: event.work_item_id,
            run_id: event.run_id,
            agent: told.agent.clone(),
            session_id: told.session_id.clone(),
            payload: Value::Object(told.payload.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use spalla_domain::{EventSeq, ProjectId};

    #[test]
    fn what_an_agent_told_has_the_plain_word_as_its_type() {
        let told = Told {
            kind: spalla_domain::agent_event::AgentEventType::Finding,
            agent: Some("codex".into()),
            session_id: Some("orch_1".into()),
            payload: json!({"text": "x", "own": [1]}).as_object().unwrap().clone(),
        };
        let event = event::Event {
            seq: EventSeq(7),
            at: Timestamp::from_ms(0),
            project_id: ProjectId(1),
            work_item_id: Some(WorkItemId(2)),
            run_id: Some(RunId(3)),
            fact: event::Fact::AgentTold(Box::new(told)),
        };
        assert_eq!(
            serde_json::to_value(Event::from(&event)).unwrap(),
            json!({"id": 7, "type": "finding", "timestamp": "1970-01-01T00:00:00.000Z", "project_id": 1,
                   "work_item_id": 2, "run_id": 3, "agent": "codex", "session_id": "orch_1",
                   "payload": {"text": "x", "own": [1]}})
        );
    }

    #[test]
    fn an_event_is_flat_and_its_payload_an_object() {
        let event = event::Event {
            seq: EventSeq(7),
            at: Timestamp::from_ms(0),
            project_id: ProjectId(1),
            work_item_id: Some(WorkItemId(2)),
            run_id: None,
            fact: event::Fact::WorkItemReady {},
        };
        assert_eq!(
            serde_json::to_value(Event::from(&event)).unwrap(),
            json!({"id": 7, "type": "work_item.ready", "timestamp": "1970-01-01T00:00:00.000Z", "project_id": 1,
                   "work_item_id": 2, "run_id": null, "payload": {}})
        );
    }
}
