select
    work_item_id, prio, fence, attempt, failures, run_id, worker, until, takeovers, holds,
    questions, paused, created_at, started_at
from leased
where until <= :now
order by run_id
limit :limit
