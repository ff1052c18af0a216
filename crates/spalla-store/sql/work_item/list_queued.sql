-- The newest of each place, then the newest of these. What is archived does not wait in the queue.
select work_item_state.*
from (
    select work_item_id
    from (
        select ready.work_item_id
        from ready
        where
            ready.work_item_id < :before
            and (
                cast(:project_id as bigint) is null
                or ready.queue in (select queue.id from queue where queue.project_id = :project_id)
            )
        order by ready.work_item_id desc
        limit cast(:limit as bigint) + cast(:offset as bigint)
    ) as newest_ready
    union all
    select work_item_id
    from (
        select delayed.work_item_id
        from delayed
        where
            delayed.work_item_id < :before
            and (cast(:project_id as bigint) is null or delayed.project_id = :project_id)
        order by delayed.work_item_id desc
        limit cast(:limit as bigint) + cast(:offset as bigint)
    ) as newest_delayed
    union all
    select work_item_id
    from (
        select blocked.work_item_id
        from blocked
        where
            blocked.work_item_id < :before and blocked.broken_reason is null
            and (cast(:project_id as bigint) is null or blocked.project_id = :project_id)
        order by blocked.work_item_id desc
        limit cast(:limit as bigint) + cast(:offset as bigint)
    ) as newest_blocked
    order by work_item_id desc
    limit :limit offset :offset
) as newest
cross join work_item_state
where work_item_state.id = newest.work_item_id
order by work_item_state.id desc
