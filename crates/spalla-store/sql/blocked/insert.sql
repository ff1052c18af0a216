insert into blocked (
    work_item_id, project_id, prio, fence, attempt, failures, reason, unmet, broken_reason, broken_by, pending, rejected, due_at
)
:values(
    work_item_id, project_id, prio, fence, attempt, failures, reason text, unmet, broken_reason text, broken_by, pending,
    rejected, due_at
)
