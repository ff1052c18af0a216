select
    entry.id, entry.work_item_id, work_item.project_id, work_item.queue, work_item.title,
    entry.priority, entry.moved, waiting.prio,
    entry.enqueued_at, waiting.unmet, waiting.approvals, waiting.due_at, waiting.reason
from (
    select
        blocked.work_item_id, blocked.prio, blocked.unmet, blocked.pending + blocked.rejected as approvals,
        blocked.due_at, blocked.reason
    from blocked
    where
        (cast(:project_id as bigint) is null or blocked.project_id = :project_id)
        and blocked.reason = :reason
    order by blocked.prio, blocked.work_item_id
    limit :limit offset :offset
) as waiting
cross join entry
cross join work_item
where entry.work_item_id = waiting.work_item_id and work_item.id = waiting.work_item_id
order by waiting.prio, waiting.work_item_id
