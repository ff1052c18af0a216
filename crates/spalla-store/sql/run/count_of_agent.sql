select
    (
        select count(*)
        from live_run_state
        where
            agent = :agent
            and (cast(:project_id as bigint) is null or project_id = :project_id)
            and (cast(:status as text) is null or status = :status)
    )
    + (
        select count(*)
        from ended_run_state
        where
            agent = :agent
            and (cast(:project_id as bigint) is null or project_id = :project_id)
            and (cast(:status as text) is null or status = :status)
    )
