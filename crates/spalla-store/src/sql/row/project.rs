//! Projects and queues as rows.

use super::{Fields, json, row};
use crate::sql::statement::Row;
use crate::tx::{QueueKey, Result};
use spalla_domain::QueueId;
use spalla_domain::project::Project;
use spalla_domain::work_item::Executor;

/// Reads a project.
pub(crate) fn read(fields: &mut Fields) -> Result<Project> {
    Ok(Project {
        id: fields.id("id")?,
        name: fields.text("name")?,
        description: fields.maybe_text("description")?,
        repository: fields.maybe_text("repository")?,
        created_at: fields.time("created_at")?,
        archived_at: fields.maybe_time("archived_at")?,
    })
}

/// Writes a new project.
pub(crate) fn new(project: Project) -> Row {
    let Project { id, name, description, repository, created_at, archived_at } = project;
    row![id, name, description, repository, created_at, archived_at]
}

/// Writes a changed project.
pub(crate) fn changed(project: Project) -> Row {
    let Project { id, name, description, repository, created_at: _, archived_at } = project;
    row![id, name, description, repository, archived_at]
}

/// Reads a queue.
pub(crate) fn read_queue(fields: &mut Fields) -> Result<(QueueId, QueueKey)> {
    let id = fields.id("id")?;
    let key = QueueKey {
        project_id: fields.id("project_id")?,
        executor: fields.word("executor", Executor::parse)?,
        labels: fields.json("labels")?,
    };
    Ok((id, key))
}

/// Writes a new queue.
pub(crate) fn new_queue((id, key): (QueueId, QueueKey)) -> Result<Row> {
    Ok(row![id, key.project_id, key.executor.as_str(), json(&key.labels)?])
}
