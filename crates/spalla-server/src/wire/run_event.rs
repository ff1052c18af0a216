//! Events that are told of a run, on the wire.

use super::object::objects;
use super::text::{Line, Word};
use super::{BATCH_BYTES_MAX, Body, present, words};
use crate::problem::Problem;
use crate::wire::problem::FieldProblem;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use spalla_domain::agent_event::AgentEventType;
use spalla_domain::run_event::{self, EVENT_ID_BYTES_MAX, EVENTS_AT_ONCE, check_payload};
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, SchemaType, Type};
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

words! {
    /// What an event of an agent means.
    RunEventType for AgentEventType {
        /// How the agent is: it began, it waits, it goes on.
        Status = "status",
        /// Something was done.
        Progress = "progress",
        /// Something was found out.
        Finding = "finding",
        /// A plan, or a part of one.
        Task = "task",
        /// The agent can't go on.
        Blocker = "blocker",
        /// A piece of work is done.
        Milestone = "milestone",
        /// Peers are asked for their opinion, or give one.
        Review = "review",
        /// Something went wrong.
        Error = "error",
    }
}

/// What an event says: any object, within its bounds.
#[derive(Debug)]
pub(crate) struct Payload(Map<String, Value>);

impl From<Payload> for Map<String, Value> {
    fn from(payload: Payload) -> Self {
        payload.0
    }
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let members = Map::deserialize(deserializer)?;
        check_payload(&members).map_err(D::Error::custom)?;
        Ok(Self(members))
    }
}

impl PartialSchema for Payload {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(SchemaType::Type(Type::Object)).into()
    }
}

impl ToSchema for Payload {}

/// The name of an event.
type EventName = Line<EVENT_ID_BYTES_MAX>;

/// An event as a run's worker or agent tells it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewRunEvent {
    /// What it means.
    #[serde(rename = "type")]
    kind: RunEventType,
    /// What it says, such as `text`, `progress` from 0 to 100, and `file`; further members are kept. At most 64 KiB of JSON,
    /// nested at most 32 deep.
    #[schema(inline)]
    payload: Payload,
    /// Whose it is; the work item's agent when left out.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Word, inline, required = false)]
    agent: Option<Word>,
    /// A name that no other event of the run has: what is told twice under one name is one event.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = EventName, inline, required = false)]
    id: Option<EventName>,
}

/// Events as a run's worker or agent tells them at once.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewRunEvents {
    /// The events, in their order.
    #[serde(deserialize_with = "objects")]
    #[schema(max_items = 256)]
    #[expect(dead_code, reason = "read as a part of the report; this describes it")]
    events: Vec<NewRunEvent>,
}

/// The number that the schema above writes out has to be the domain's.
const _: () = assert!(EVENTS_AT_ONCE == 256);

/// One event, or several.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RunEventReport {
    #[serde(default, deserialize_with = "some_objects")]
    events: Option<Vec<NewRunEvent>>,
    #[serde(default, rename = "type", deserialize_with = "present")]
    kind: Option<RunEventType>,
    #[serde(default, deserialize_with = "present")]
    payload: Option<Payload>,
    #[serde(default, deserialize_with = "present")]
    agent: Option<Word>,
    #[serde(default, deserialize_with = "present")]
    id: Option<EventName>,
}

fn some_objects<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<NewRunEvent>>, D::Error> {
    objects(deserializer).map(Some)
}

impl Body for RunEventReport {
    const BYTES_MAX: usize = BATCH_BYTES_MAX;
}

impl PartialSchema for RunEventReport {
    fn schema() -> RefOr<Schema> {
        let named = |name| Ref::from_schema_name(name);
        OneOfBuilder::new().item(named(NewRunEvent::name())).item(named(NewRunEvents::name())).into()
    }
}

impl ToSchema for RunEventReport {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((NewRunEvent::name().into_owned(), NewRunEvent::schema()));
        NewRunEvent::schemas(schemas);
        schemas.push((NewRunEvents::name().into_owned(), NewRunEvents::schema()));
        NewRunEvents::schemas(schemas);
    }
}

impl RunEventReport {
    /// Returns the events, or every place that is wrong.
    pub(crate) fn into_events(self) -> Result<Vec<run_event::RunEvent>, Problem> {
        let Self { events, kind, payload, agent, id } = self;
        let Some(events) = events else {
            return match (kind, payload) {
                (Some(kind), Some(payload)) => {
                    let one = NewRunEvent { kind, payload, agent, id };
                    Ok(vec![one.into_event(|name| name.to_owned())?])
                }
                (kind, payload) => {
                    let lacks = [("type", kind.is_none()), ("payload", payload.is_none())];
                    let lacks = lacks.into_iter().filter(|(_, is_missing)| *is_missing);
                    let said = |(name, _)| FieldProblem::at_path(name, format!("missing field `{name}`"));
                    Err(Problem::invalid_at_all(lacks.map(said).collect()))
                }
            };
        };
        let beside = [
            ("type", kind.is_some()),
            ("payload", payload.is_some()),
            ("agent", agent.is_some()),
            ("id", id.is_some()),
        ];
        if let Some((name, _)) = beside.into_iter().find(|(_, is_there)| *is_there) {
            return Err(Problem::invalid(name, "it stands in each of the events, not beside them"));
        }
        if events.len() > EVENTS_AT_ONCE {
            let message = format!("{} events; at most {EVENTS_AT_ONCE} are taken at once", events.len());
            return Err(Problem::invalid("events", message).mend("send them in smaller parts"));
        }
        let placed =
            |(place, event): (usize, NewRunEvent)| event.into_event(|name| format!("events[{place}].{name}"));
        events.into_iter().enumerate().map(placed).collect()
    }
}

impl NewRunEvent {
    fn into_event(self, path: impl Fn(&str) -> String) -> Result<run_event::RunEvent, Problem> {
        let event = run_event::RunEvent {
            kind: self.kind.into(),
            agent: self.agent.map(Into::into),
            id: self.id.map(Into::into),
            payload: self.payload.0,
        };
        // Everything else was looked at while it was read.
        event.check().map_err(|refusal| Problem::from(refusal).naming(&path("id")))?;
        Ok(event)
    }
}

/// What became of the events that were told.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EventsKept {
    /// How many are new and kept. What was told before under the same name is not, nor what is beyond the 10,000 events or
    /// the 64 MiB of a run, of which one event of the type `error` tells once.
    kept: u32,
}

impl EventsKept {
    /// Says how many.
    pub(crate) const fn new(kept: u32) -> Self {
        Self { kept }
    }
}
