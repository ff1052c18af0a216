//! Workers and what they hold as rows.

use super::project::wish;
use super::{Fields, json, row};
use crate::sql::statement::Row;
use crate::tx::{HeardWorker, HeldRuns, Result};
use spalla_domain::WorkerId;

/// Reads a worker.
pub(crate) fn read(fields: &mut Fields) -> Result<HeardWorker> {
    Ok(HeardWorker {
        name: name(fields, "name")?,
        heard_at: fields.time("heard_at")?,
        offer: fields.maybe_json("offer")?,
    })
}

/// Writes a worker.
pub(crate) fn heard(worker: HeardWorker) -> Result<Row> {
    let offer = worker.offer.as_ref().map(json).transpose()?;
    Ok(row![worker.name, worker.heard_at, offer])
}

/// Reads how many runs of a queue a worker holds.
pub(crate) fn read_held(fields: &mut Fields) -> Result<HeldRuns> {
    Ok(HeldRuns {
        queue: fields.id("queue")?,
        worker: fields.maybe_worker("worker")?,
        project_id: fields.id("project_id")?,
        agent: Some(fields.text("agent")?).filter(|agent| !agent.is_empty()),
        wish: wish(fields)?,
        runs: fields.number("runs")?,
    })
}

fn name(fields: &mut Fields, column: &str) -> Result<WorkerId> {
    fields.maybe_worker(column)?.ok_or_else(|| fields.odd(column, "is missing"))
}
