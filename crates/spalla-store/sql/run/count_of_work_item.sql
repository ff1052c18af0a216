select
    (
        select count(*)
        from live_run_state
        where
            work_item_id = :work_item_id
            and (cast(:project_id as bigint) is null or project_id = :project_id)
            and (cast(:status as text) is null or status = :status)
            and (cast(:agent as text) is null or agent = :agent)
    )
    + (
        select count(*)
        from ended_run_state
        where
            work_item_id = :work_item_id
            and (cast(:project_id as bigint) is null or project_id = :project_id)
            and (cast(:status as text) is null or status = :status)
            and (cast(:agent as text) is null or agent = :agent)
    )
