select
    leased.queue, leased.priority, leased.work_item_id, leased.prio, leased.fence, leased.attempt, leased.failures, leased.run_id, leased.worker,
    leased.until, leased.takeovers, leased.holds, leased.questions, leased.paused,
    leased.created_at, leased.started_at
from leased
where leased.queue = :row(queue) and leased.worker is null and leased.holds = 0 and leased.paused = 0
order by leased.prio, leased.work_item_id
limit :limit
