//! Workers and what they hold as rows.

use super::project::wish;
use super::{Fields, json, row};
use crate::sql::statement::Row;
use crate::supply::AgentRow;
use crate::tx::{HeardWorker, HeldRuns, Result};
use spalla_domain::run::Status;
use spalla_domain::{ProjectId, RunId, WorkItemId, WorkerId};

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

/// Reads an agent, and one of its runs that somebody holds.
pub(crate) fn read_agent(fields: &mut Fields) -> Result<AgentRow> {
    let (project_id, agent) = (fields.id("project_id")?, fields.text("agent")?);
    let run: Option<i64> = fields.maybe_number("run_id")?;
    let item: Option<i64> = fields.maybe_number("work_item_id")?;
    Ok((project_id, agent, item.map(WorkItemId).zip(run.map(RunId))))
}

/// Reads how the newest of the runs of an agent ended that did.
pub(crate) fn read_last(fields: &mut Fields) -> Result<((ProjectId, String), Option<Status>)> {
    let of = (fields.id("project_id")?, fields.text("agent")?);
    Ok((of, fields.maybe_word("status", Status::parse)?))
}

fn name(fields: &mut Fields, column: &str) -> Result<WorkerId> {
    fields.maybe_worker(column)?.ok_or_else(|| fields.odd(column, "is missing"))
}
