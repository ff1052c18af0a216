select
    blocked.work_item_id, blocked.prio, blocked.fence, blocked.attempt, blocked.failures, blocked.unmet,
    blocked.broken_reason, blocked.broken_by, blocked.pending, blocked.rejected, blocked.due_at
from blocked
where :among(blocked.work_item_id)
