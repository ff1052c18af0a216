//! Projects and queues as rows.

use super::{Fields, each, json, row};
use crate::sql::statement::Row;
use crate::tx::{KnownQueue, QueueKey, Queues, Result};
use spalla_domain::project::Project;
use spalla_domain::quota::{MicroUsd, Usage, Used, UtcDay};
use spalla_domain::resources::Amounts;
use spalla_domain::work_item::Executor;
use spalla_domain::{ProjectId, QueueId};

/// Reads a project.
pub(crate) fn read(fields: &mut Fields) -> Result<Project> {
    Ok(Project {
        id: fields.id("id")?,
        name: fields.text("name")?,
        description: fields.maybe_text("description")?,
        repository: fields.maybe_text("repository")?,
        limits: fields.maybe_json("limits")?,
        created_at: fields.time("created_at")?,
        archived_at: fields.maybe_time("archived_at")?,
    })
}

/// Reads a project, and which version of it this is.
pub(crate) fn read_with_version(fields: &mut Fields) -> Result<(Project, i64)> {
    Ok((read(fields)?, fields.int("version")?))
}

/// Writes a new project.
pub(crate) fn new(project: Project) -> Result<Row> {
    let Project { id, name, description, repository, limits, created_at, archived_at } = project;
    let limits = limits.as_ref().map(json).transpose()?;
    Ok(row![id, name, description, repository, limits, created_at, archived_at])
}

/// Writes a changed project.
pub(crate) fn changed(project: Project) -> Result<Row> {
    let Project { id, name, description, repository, limits, created_at: _, archived_at } = project;
    let limits = limits.as_ref().map(json).transpose()?;
    Ok(row![id, name, description, repository, limits, archived_at])
}

/// Reads what a project used on a day.
pub(crate) fn read_usage(fields: &mut Fields) -> Result<(ProjectId, Usage)> {
    let project_id = fields.id("project_id")?;
    let usage = Usage {
        day: UtcDay(fields.int("day")?),
        runs: fields.number("runs")?,
        tokens: fields.number("tokens")?,
        cost_usd: MicroUsd::from_micros(fields.number("cost_micro_usd")?).unwrap_or(MicroUsd::MAX),
    };
    Ok((project_id, usage))
}

/// Writes what a project used; a number that no column holds stops at the largest one.
pub(crate) fn used((project_id, day, used): (ProjectId, UtcDay, Used)) -> Row {
    let Used { runs, tokens, cost_usd } = used;
    let int = |number: u64| i64::try_from(number).unwrap_or(i64::MAX / 2);
    row![project_id, day.0, int(runs), int(tokens), int(cost_usd.micros())]
}

/// Reads a queue, and whether its project has a quota.
pub(crate) fn read_queue(fields: &mut Fields) -> Result<KnownQueue> {
    let id = fields.id("id")?;
    let key = QueueKey {
        project_id: fields.id("project_id")?,
        executor: fields.word("executor", Executor::parse)?,
        labels: fields.json("labels")?,
        agent: Some(fields.text("agent")?).filter(|agent| !agent.is_empty()),
        resources: wish(fields)?,
    };
    Ok(KnownQueue { id, key, is_capped: fields.flag("is_capped")?, head: None, is_pending: false })
}

/// Reads the queues that claimers choose from.
pub(crate) fn read_queues(rows: Vec<Row>) -> Result<Queues> {
    let read = |fields: &mut Fields| {
        let (queue, is_large) = (read_queue(fields)?, fields.flag("is_large")?);
        let (head, is_pending) = (fields.maybe_int("head")?, fields.flag("is_pending")?);
        Ok((KnownQueue { head, is_pending, ..queue }, is_large))
    };
    let rows = each("queue", rows, read)?;
    // Where none is found there may be many in which nothing waits.
    let is_whole = rows.first().is_some_and(|(_, is_large)| !is_large);
    Ok(Queues { found: rows.into_iter().map(|(queue, _)| queue).collect(), is_whole })
}

/// Writes a new queue.
pub(crate) fn new_queue((id, key): (QueueId, QueueKey)) -> Result<Row> {
    let mut row = row![id];
    row.extend(queue_key(key)?);
    Ok(row)
}

/// Writes what a queue is found by.
pub(crate) fn queue_key(key: QueueKey) -> Result<Row> {
    let agent = key.agent.unwrap_or_default();
    let resources = key.resources.as_ref().map_or_else(|| Ok("".into()), json)?;
    Ok(row![key.project_id, key.executor.as_str(), json(&key.labels)?, agent, resources])
}

/// Reads what the runs of a queue need.
pub(crate) fn wish(fields: &mut Fields) -> Result<Option<Amounts>> {
    let text = fields.text("resources")?;
    if text.is_empty() {
        return Ok(None);
    }
    serde_json::from_str(&text).map(Some).map_err(|error| fields.odd("resources", error))
}
