select
    blocked.work_item_id, blocked.prio, blocked.fence, blocked.attempt, blocked.failures, blocked.unmet,
    blocked.broken_reason, blocked.broken_by, blocked.pending, blocked.rejected, blocked.due_at
from :rows(work_item_id)
join blocked on blocked.work_item_id = rows.work_item_id
order by blocked.work_item_id
for update of blocked
