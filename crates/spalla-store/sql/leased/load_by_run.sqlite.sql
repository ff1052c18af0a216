select
    leased.work_item_id, leased.prio, leased.fence, leased.attempt, leased.failures, leased.run_id, leased.worker,
    leased.until, leased.takeovers, leased.holds, leased.questions, leased.paused,
    leased.created_at, leased.started_at
from leased
where :among(leased.run_id)
