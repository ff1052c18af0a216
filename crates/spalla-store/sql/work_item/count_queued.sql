select
    (
        select count(*)
        from ready
        where
            cast(:project_id as bigint) is null
            or ready.queue in (select queue.id from queue where queue.project_id = :project_id)
    )
    + (
        select count(*)
        from delayed
        cross join work_item
        where
            work_item.id = delayed.work_item_id
            and (cast(:project_id as bigint) is null or work_item.project_id = :project_id)
    )
    + (
        select count(*)
        from blocked
        cross join work_item
        where
            blocked.broken_reason is null and work_item.id = blocked.work_item_id
            and (cast(:project_id as bigint) is null or work_item.project_id = :project_id)
    )
