insert or fail into leased (
    work_item_id, run_id, queue, prio, fence, attempt, failures, worker, until, takeovers, holds, created_at,
    started_at
)
select
    rows.work_item_id, rows.run_id, rows.queue, rows.prio, rows.fence, rows.attempt, rows.failures, rows.worker,
    rows.until, rows.takeovers, rows.holds, rows.created_at, rows.started_at
from :rows(
    work_item_id, run_id, queue, prio, fence, attempt, failures, worker text, until, takeovers, holds, created_at,
    started_at
)
