insert into blocked (
    work_item_id, prio, fence, attempt, failures, reason, unmet, broken_reason, broken_by, pending, rejected, due_at
)
select
    rows.work_item_id, rows.prio, rows.fence, rows.attempt, rows.failures, rows.reason, rows.unmet,
    rows.broken_reason, rows.broken_by, rows.pending, rows.rejected, rows.due_at
from :rows(
    work_item_id, prio, fence, attempt, failures, reason text, unmet, broken_reason text, broken_by, pending,
    rejected, due_at
)
