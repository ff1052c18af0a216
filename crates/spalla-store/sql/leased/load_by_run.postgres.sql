select
    leased.work_item_id, leased.prio, leased.fence, leased.attempt, leased.failures, leased.run_id, leased.worker,
    leased.until, leased.takeovers, leased.holds, leased.questions, leased.paused,
    leased.created_at, leased.started_at, leased.revision
from :rows(run_id)
join leased on leased.run_id = rows.run_id
order by leased.work_item_id
for update of leased
