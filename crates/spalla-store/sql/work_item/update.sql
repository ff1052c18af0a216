update work_item
set
    queue = rows.queue, priority = rows.priority, critical = rows.critical, timeout_ms = rows.timeout_ms,
    max_retries = rows.max_retries, backoff = rows.backoff, backoff_base_ms = rows.backoff_base_ms,
    backoff_jitter_ms = rows.backoff_jitter_ms, token_budget = rows.token_budget, review = rows.review,
    updated_at = rows.updated_at, archived_at = rows.archived_at,
    executor = rows.executor, agent = rows.agent, category = rows.category, labels = rows.labels,
    resources = rows.resources, title = rows.title, description = rows.description, prompt = rows.prompt,
    recipe = rows.recipe, adapter = rows.adapter, definition = rows.definition, limits = rows.limits
from :rows(
    id, queue, priority, critical, timeout_ms, max_retries, backoff text, backoff_base_ms, backoff_jitter_ms, token_budget, review,
    updated_at, archived_at, executor text, agent text, category text, labels text, resources text,
    title text, description text, prompt text, recipe text, adapter text, definition text, limits text
)
where work_item.id = rows.id
