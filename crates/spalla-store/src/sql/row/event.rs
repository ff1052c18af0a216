//! Events as rows: the kind of a fact is a column, its payload another.

use super::{Fields, row};
use crate::error::StoreError;
use crate::sql::statement::Row;
use crate::tx::Result;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use spalla_domain::EventSeq;
use spalla_domain::event::{Event, Fact, NewEvent};
use std::borrow::Cow;

/// A fact as JSON, seen from outside.
#[derive(Serialize, Deserialize)]
struct Tagged<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    payload: &'a RawValue,
}

/// Writes a new event under the number that it has already, if any.
pub(crate) fn new(seq: Option<EventSeq>, event: &NewEvent) -> Result<Row> {
    let odd = |error: serde_json::Error| StoreError::Corrupt(format!("writing an event: {error}"));
    let text = serde_json::to_string(&event.fact).map_err(odd)?;
    let Tagged { kind, payload } = serde_json::from_str(&text).map_err(odd)?;
    Ok(row![seq, event.at, event.project_id, event.work_item_id, event.run_id, &*kind, payload.get()])
}

/// Gives an event its number.
pub(crate) fn numbered(event: NewEvent, seq: EventSeq) -> Event {
    let NewEvent { at, project_id, work_item_id, run_id, fact } = event;
    Event { seq, at, project_id, work_item_id, run_id, fact }
}

/// Reads an event.
pub(crate) fn read(fields: &mut Fields) -> Result<Event> {
    Ok(Event {
        seq: fields.id("seq")?,
        at: fields.time("at")?,
        project_id: fields.id("project_id")?,
        work_item_id: fields.maybe_id("work_item_id")?,
        run_id: fields.maybe_id("run_id")?,
        fact: read_fact(fields)?,
    })
}

fn read_fact(fields: &mut Fields) -> Result<Fact> {
    let (kind, body) = (fields.text("kind")?, fields.text("body")?);
    let odd = |error: serde_json::Error| fields.odd("body", format!("is no fact of kind {kind:?}: {error}"));
    let payload: &RawValue = serde_json::from_str(&body).map_err(odd)?;
    let text = serde_json::to_string(&Tagged { kind: Cow::Borrowed(&kind), payload }).map_err(odd)?;
    serde_json::from_str(&text).map_err(odd)
}
