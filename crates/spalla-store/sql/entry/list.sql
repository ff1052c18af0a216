-- The best of each place, then the best of these.
select
    entry.id, entry.work_item_id, work_item.project_id, work_item.queue, work_item.title,
    entry.priority, entry.moved, waiting.prio,
    entry.enqueued_at, waiting.unmet, waiting.approvals, waiting.due_at, waiting.reason
from (
    select *
    from (
        select
            ready.work_item_id, ready.prio, 0 as unmet, 0 as approvals, cast(null as bigint) as due_at,
            cast(null as text) as reason
        from ready
        where
            cast(:project_id as bigint) is null
            or ready.queue in (select queue.id from queue where queue.project_id = :project_id)
        order by ready.prio, ready.work_item_id
        limit cast(:limit as bigint) + cast(:offset as bigint)
    ) as best_ready
    union all
    select *
    from (
        select delayed.work_item_id, delayed.prio, 0 as unmet, 0 as approvals, delayed.due_at, 'delayed' as reason
        from delayed
        where
            (cast(:project_id as bigint) is null or delayed.project_id = :project_id)
        order by delayed.prio, delayed.work_item_id
        limit cast(:limit as bigint) + cast(:offset as bigint)
    ) as best_delayed
    union all
    select *
    from (
        select
            blocked.work_item_id, blocked.prio, blocked.unmet, blocked.pending + blocked.rejected as approvals,
            blocked.due_at, blocked.reason
        from blocked
        where
            (cast(:project_id as bigint) is null or blocked.project_id = :project_id)
        order by blocked.prio, blocked.work_item_id
        limit cast(:limit as bigint) + cast(:offset as bigint)
    ) as best_blocked
    order by prio, work_item_id
    limit :limit offset :offset
) as waiting
cross join entry
cross join work_item
where entry.work_item_id = waiting.work_item_id and work_item.id = waiting.work_item_id
order by waiting.prio, waiting.work_item_id
