select
    work_item.id, work_item.project_id, work_item.queue, work_item.priority, work_item.critical,
    work_item.on_critical_path, work_item.timeout_ms, work_item.max_retries, work_item.backoff, work_item.backoff_base_ms,
    work_item.backoff_jitter_ms, work_item.token_budget, work_item.review, work_item.archived_at,
    entry.id, entry.priority, entry.moved, entry.dependencies, entry.enqueued_at, entry.queue, entry.prio
from work_item
left join entry on entry.work_item_id = work_item.id
where :among(work_item.id)
