update blocked
set
    prio = rows.prio, fence = rows.fence, attempt = rows.attempt, failures = rows.failures, reason = rows.reason,
    unmet = rows.unmet, broken_reason = rows.broken_reason, broken_by = rows.broken_by, pending = rows.pending,
    rejected = rows.rejected, due_at = rows.due_at
from :rows(
    work_item_id, fence_before, prio, fence, attempt, failures, reason text, unmet, broken_reason text, broken_by,
    pending, rejected, due_at
)
where blocked.work_item_id = rows.work_item_id and blocked.fence = rows.fence_before
