select *
from (
    select *
    from live_run_state
    where 
        work_item_id = :work_item_id and id < :before
        and (cast(:project_id as bigint) is null or project_id = :project_id)
        and (cast(:status as text) is null or status = :status)
        and (cast(:agent as text) is null or agent = :agent)
    order by id desc
    limit cast(:limit as bigint) + cast(:offset as bigint)
) as live
union all
select *
from (
    select *
    from ended_run_state
    where 
        work_item_id = :work_item_id and id < :before
        and (cast(:project_id as bigint) is null or project_id = :project_id)
        and (cast(:status as text) is null or status = :status)
        and (cast(:agent as text) is null or agent = :agent)
    order by id desc
    limit cast(:limit as bigint) + cast(:offset as bigint)
) as ended
order by id desc
limit :limit offset :offset
