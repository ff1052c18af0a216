-- The rows are read twice, because `update … from` would copy them into a table of its own first.
with changed as (
    select * from :rows(
        work_item_id, fence_before, prio, fence, attempt, failures, reason text, unmet, broken_reason text, broken_by,
        pending, rejected, due_at
    )
)
update blocked
set (prio, fence, attempt, failures, reason, unmet, broken_reason, broken_by, pending, rejected, due_at) = (
    select prio, fence, attempt, failures, reason, unmet, broken_reason, broken_by, pending, rejected, due_at
    from changed
)
where (work_item_id, fence) = (select work_item_id, fence_before from changed)
