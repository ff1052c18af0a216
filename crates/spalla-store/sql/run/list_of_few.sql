-- An agent with few work items: their runs are found by the items.
select *
from (
    select *
    from live_run_state
    where
        work_item_id in (
            select work_item.id
            from work_item
            where work_item.agent = :agent and work_item.project_id between :first_project and :last_project
        )
        and id < :before
        and (cast(:status as text) is null or status = :status)
    order by id desc
    limit cast(:limit as bigint) + cast(:offset as bigint)
) as live
union all
select *
from (
    select *
    from ended_run_state
    where
        work_item_id in (
            select work_item.id
            from work_item
            where work_item.agent = :agent and work_item.project_id between :first_project and :last_project
        )
        and id < :before
        and (cast(:status as text) is null or status = :status)
    order by id desc
    limit cast(:limit as bigint) + cast(:offset as bigint)
) as ended
order by id desc
limit :limit offset :offset
