select
    work_item.id, work_item.project_id, work_item.priority, work_item.critical,
    work_item.on_critical_path, work_item.timeout_ms,
    work_item.max_retries, work_item.backoff, work_item.backoff_base_ms, work_item.backoff_jitter_ms, work_item.token_budget,
    work_item.review, work_item.created_at,
    work_item.updated_at, work_item.archived_at, work_item.executor, work_item.agent, work_item.category,
    work_item.labels, work_item.resources, work_item.title, work_item.description, work_item.prompt, work_item.recipe,
    work_item.adapter, work_item.definition, work_item.limits,
    project.repository, project.limits, work_item.queue,
    entry.id, entry.priority, entry.moved, entry.dependencies, entry.enqueued_at, entry.queue, entry.prio
from work_item
join project on project.id = work_item.project_id
left join entry on entry.work_item_id = work_item.id
where :among(work_item.id)
