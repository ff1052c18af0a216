-- The best of each queue, from which the caller takes the best of all.
select
    best.queue, best.priority, best.work_item_id, best.prio, best.fence, best.attempt, best.failures, best.run_id, best.worker, best.until,
    best.takeovers, best.holds, best.questions, best.paused, best.created_at, best.started_at
from :rows(queue)
cross join lateral (
    select
        leased.queue, leased.priority, leased.work_item_id, leased.prio, leased.fence, leased.attempt, leased.failures, leased.run_id,
        leased.worker, leased.until, leased.takeovers, leased.holds, leased.questions, leased.paused,
        leased.created_at, leased.started_at
    from leased
    where leased.queue = rows.queue and leased.worker is null and leased.holds = 0 and leased.paused = 0
    order by leased.prio, leased.work_item_id
    limit :limit
    for update skip locked
) as best
