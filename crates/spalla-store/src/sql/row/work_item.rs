//! Work items, their heads and bodies, entries and dependencies as rows.

use super::{Fields, json, row};
use crate::sql::statement::Row;
use crate::tx::{Body, EdgeRow, Head, Line, Result};
use crate::view::WorkItemView;
use spalla_domain::QueueId;
use spalla_domain::problem::Code;
use spalla_domain::queue::Entry;
use spalla_domain::retry::Backoff;
use spalla_domain::work_item::{Executor, Policy, Spec, Status, When, WorkItem};

/// Writes a new work item.
pub(crate) fn new((queue, item): (QueueId, WorkItem)) -> Result<Row> {
    let WorkItem { id, project_id, spec, policy, on_critical_path, created_at, updated_at, archived_at } =
        item;
    Ok(row![
        id,
        project_id,
        queue,
        spec.priority,
        spec.critical,
        on_critical_path,
        spec.timeout_ms,
        policy.max_retries,
        policy.backoff.map(Backoff::as_str),
        policy.backoff_base_ms,
        policy.backoff_jitter_ms,
        policy.token_budget,
        policy.review,
        created_at,
        updated_at,
        archived_at,
        spec.executor.as_str(),
        spec.agent,
        spec.category,
        json(&spec.labels)?,
        spec.resources.as_ref().map(json).transpose()?,
        spec.title,
        spec.description,
        spec.prompt,
        spec.recipe,
        spec.adapter.as_ref().map(json).transpose()?,
        spec.definition.as_ref().map(json).transpose()?,
        spec.limits.as_ref().map(json).transpose()?,
    ])
}

/// Writes a changed work item.
pub(crate) fn changed((queue, item): (QueueId, WorkItem)) -> Result<Row> {
    let WorkItem { id, spec, policy, updated_at, archived_at, .. } = item;
    Ok(row![
        id,
        queue,
        spec.priority,
        spec.critical,
        spec.timeout_ms,
        policy.max_retries,
        policy.backoff.map(Backoff::as_str),
        policy.backoff_base_ms,
        policy.backoff_jitter_ms,
        policy.token_budget,
        policy.review,
        updated_at,
        archived_at,
        spec.executor.as_str(),
        spec.agent,
        spec.category,
        json(&spec.labels)?,
        spec.resources.as_ref().map(json).transpose()?,
        spec.title,
        spec.description,
        spec.prompt,
        spec.recipe,
        spec.adapter.as_ref().map(json).transpose()?,
        spec.definition.as_ref().map(json).transpose()?,
        spec.limits.as_ref().map(json).transpose()?,
    ])
}

fn policy(fields: &mut Fields) -> Result<Policy> {
    Ok(Policy {
        max_retries: fields.maybe_number("max_retries")?,
        backoff: fields.maybe_word("backoff", Backoff::parse)?,
        backoff_base_ms: fields.maybe_int("backoff_base_ms")?,
        backoff_jitter_ms: fields.maybe_int("backoff_jitter_ms")?,
        token_budget: fields.maybe_number("token_budget")?,
        review: fields.maybe_flag("review")?,
    })
}

/// Reads a head with its entry, where it has one.
pub(crate) fn read_head(fields: &mut Fields) -> Result<Head> {
    let mut head = Head {
        id: fields.id("id")?,
        project_id: fields.id("project_id")?,
        queue: fields.id("queue")?,
        priority: fields.number("priority")?,
        critical: fields.flag("critical")?,
        on_critical_path: fields.flag("on_critical_path")?,
        timeout_ms: fields.maybe_int("timeout_ms")?,
        policy: policy(fields)?,
        archived_at: fields.maybe_time("archived_at")?,
        entry: None,
        line: None,
    };
    read_entry(fields, &mut head)?;
    Ok(head)
}

fn read_entry(fields: &mut Fields, head: &mut Head) -> Result<()> {
    if let Some(id) = fields.maybe_id("entry.id")? {
        head.entry = Some(Entry {
            id,
            work_item_id: head.id,
            priority: fields.number("entry.priority")?,
            moved: fields.maybe_json("entry.moved")?,
            dependencies: fields.number("entry.dependencies")?,
            enqueued_at: fields.time("entry.enqueued_at")?,
        });
        head.line = Some(Line { queue: fields.id("entry.queue")?, prio: fields.int("entry.prio")? });
    }
    Ok(())
}

/// Reads an item with its texts; the columns come as the table has them, all but the queue.
fn read(fields: &mut Fields) -> Result<WorkItem> {
    let (id, project_id) = (fields.id("id")?, fields.id("project_id")?);
    let (priority, critical) = (fields.number("priority")?, fields.flag("critical")?);
    let on_critical_path = fields.flag("on_critical_path")?;
    let (timeout_ms, policy) = (fields.maybe_int("timeout_ms")?, policy(fields)?);
    let (created_at, updated_at) = (fields.time("created_at")?, fields.time("updated_at")?);
    let archived_at = fields.maybe_time("archived_at")?;
    let executor = fields.word("executor", Executor::parse)?;
    let (agent, category) = (fields.maybe_text("agent")?, fields.maybe_text("category")?);
    let (labels, resources) = (fields.json("labels")?, fields.maybe_json("resources")?);
    let (title, description) = (fields.text("title")?, fields.maybe_text("description")?);
    let (prompt, recipe) = (fields.maybe_text("prompt")?, fields.maybe_text("recipe")?);
    let (adapter, definition) = (fields.maybe_json("adapter")?, fields.maybe_json("definition")?);
    let limits = fields.maybe_json("limits")?;
    let spec = Spec {
        title,
        description,
        prompt,
        executor,
        agent,
        category,
        priority,
        critical,
        timeout_ms,
        recipe,
        labels,
        resources,
        adapter,
        definition,
        limits,
    };
    Ok(WorkItem { id, project_id, spec, policy, on_critical_path, created_at, updated_at, archived_at })
}

/// Reads an item with its project's repository, and its head.
pub(crate) fn read_body(fields: &mut Fields) -> Result<(Body, Head)> {
    let item = read(fields)?;
    let repository = fields.maybe_text("project.repository")?;
    let body = Body { item, repository, project_limits: fields.maybe_json("project.limits")? };
    let WorkItem { id, project_id, spec, policy, on_critical_path, archived_at, .. } = &body.item;
    let mut head = Head {
        id: *id,
        project_id: *project_id,
        queue: fields.id("queue")?,
        priority: spec.priority,
        critical: spec.critical,
        on_critical_path: *on_critical_path,
        timeout_ms: spec.timeout_ms,
        policy: *policy,
        archived_at: *archived_at,
        entry: None,
        line: None,
    };
    read_entry(fields, &mut head)?;
    Ok((body, head))
}

/// Reads an item with its state; what it waits for is read apart.
pub(crate) fn read_view(fields: &mut Fields) -> Result<WorkItemView> {
    Ok(WorkItemView {
        item: read(fields)?,
        status: fields.word("status", Status::parse)?,
        reason: fields.maybe_word("reason", code)?,
        depends_on: vec![],
    })
}

/// Reads a code.
pub(crate) fn code(word: &str) -> Option<Code> {
    Code::ALL.iter().copied().find(|code| code.as_str() == word)
}

/// Writes a new entry.
pub(crate) fn new_entry((line, entry): (Line, Entry)) -> Result<Row> {
    let Entry { id, work_item_id, priority, moved, dependencies, enqueued_at } = entry;
    let moved = moved.as_ref().map(json).transpose()?;
    Ok(row![work_item_id, id, line.queue, line.prio, priority, moved, dependencies, enqueued_at])
}

/// Writes a changed entry.
pub(crate) fn changed_entry((line, entry): (Line, Entry)) -> Result<Row> {
    let Entry { id: _, work_item_id, priority, moved, dependencies, enqueued_at } = entry;
    let moved = moved.as_ref().map(json).transpose()?;
    Ok(row![work_item_id, line.queue, line.prio, priority, moved, dependencies, enqueued_at])
}

/// Reads an edge.
pub(crate) fn read_edge(fields: &mut Fields) -> Result<EdgeRow> {
    Ok(EdgeRow {
        parent: fields.id("parent")?,
        child: fields.id("child")?,
        when: fields.word("when", When::parse)?,
    })
}

/// Writes a new edge.
pub(crate) fn new_edge(edge: EdgeRow) -> Row {
    row![edge.parent, edge.child, edge.when.as_str()]
}
