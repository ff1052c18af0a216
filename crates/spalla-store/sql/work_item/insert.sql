insert into work_item (
    id, project_id, queue, priority, critical, timeout_ms, max_retries, backoff_base_ms, backoff_jitter_ms,
    created_at, updated_at, archived_at, executor, agent, category, labels, title, description, prompt, recipe
)
select
    rows.id, rows.project_id, rows.queue, rows.priority, rows.critical, rows.timeout_ms, rows.max_retries,
    rows.backoff_base_ms, rows.backoff_jitter_ms, rows.created_at, rows.updated_at, rows.archived_at, rows.executor,
    rows.agent, rows.category, rows.labels, rows.title, rows.description, rows.prompt, rows.recipe
from :rows(
    id, project_id, queue, priority, critical, timeout_ms, max_retries, backoff_base_ms, backoff_jitter_ms,
    created_at, updated_at, archived_at, executor text, agent text, category text, labels text, title text,
    description text, prompt text, recipe text
)
