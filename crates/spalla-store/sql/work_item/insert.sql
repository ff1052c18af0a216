insert into work_item (
    id, project_id, queue, priority, critical, on_critical_path, timeout_ms, max_retries, backoff, backoff_base_ms,
    backoff_jitter_ms, token_budget, review, created_at, updated_at, archived_at, executor, agent, category, labels,
    resources, title, description, prompt, recipe, adapter, definition, limits
)
:values(
    id, project_id, queue, priority, critical, on_critical_path, timeout_ms, max_retries, backoff text, backoff_base_ms,
    backoff_jitter_ms, token_budget, review, created_at, updated_at, archived_at, executor text, agent text, category text, labels text,
    resources text, title text, description text, prompt text, recipe text, adapter text, definition text, limits text
)
