update leased
set
    queue = rows.queue, prio = rows.prio, priority = rows.priority, fence = rows.fence, attempt = rows.attempt, failures = rows.failures,
    worker = rows.worker, until = rows.until, takeovers = rows.takeovers, holds = rows.holds,
    questions = rows.questions, paused = rows.paused, started_at = rows.started_at, revision = leased.revision + 1
from :rows(
    work_item_id, run_id, fence_before, queue, prio, priority, fence, attempt, failures, worker text, until, takeovers, holds,
    questions, paused, started_at
)
where
    leased.work_item_id = rows.work_item_id and leased.run_id = rows.run_id and leased.fence = rows.fence_before
