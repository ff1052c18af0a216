select
    entry.id, entry.work_item_id, work_item.project_id, work_item.queue, work_item.title,
    entry.priority, entry.moved, waiting.prio,
    entry.enqueued_at, waiting.unmet, waiting.approvals, waiting.due_at, waiting.reason
from (
    select delayed.work_item_id, delayed.prio, 0 as unmet, 0 as approvals, delayed.due_at, 'delayed' as reason
    from delayed
    where
        (cast(:project_id as bigint) is null or delayed.project_id = :project_id)
    order by delayed.prio, delayed.work_item_id
    limit :limit offset :offset
) as waiting
cross join entry
cross join work_item
where entry.work_item_id = waiting.work_item_id and work_item.id = waiting.work_item_id
order by waiting.prio, waiting.work_item_id
