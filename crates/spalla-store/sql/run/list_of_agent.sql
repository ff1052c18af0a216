-- An agent with many work items: this reads back from the newest run until the page is full.
select *
from (
    select *
    from live_run_state
    where 
        agent = :agent and id < :before
        and (cast(:project_id as bigint) is null or project_id = :project_id)
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
        agent = :agent and id < :before
        and (cast(:project_id as bigint) is null or project_id = :project_id)
        and (cast(:status as text) is null or status = :status)
    order by id desc
    limit cast(:limit as bigint) + cast(:offset as bigint)
) as ended
order by id desc
limit :limit offset :offset
