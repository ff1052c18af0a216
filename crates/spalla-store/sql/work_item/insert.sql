insert into work_item (
    id, project_id, queue, priority, critical, timeout_ms, max_retries, backoff_base_ms, backoff_jitter_ms,
    created_at, updated_at, archived_at, executor, agent, category, labels, title, description, prompt, recipe
)
:values(
    id, project_id, queue, priority, critical, timeout_ms, max_retries, backoff_base_ms, backoff_jitter_ms,
    created_at, updated_at, archived_at, executor text, agent text, category text, labels text, title text,
    description text, prompt text, recipe text
)
