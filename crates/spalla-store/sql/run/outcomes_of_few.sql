-- What came of the newest runs of an agent with few work items, without what they produced: they are found by the items.
select id, status, started_at, ended_at, usage
from (
    select id, status, started_at, ended_at, usage
    from live_run_state
    where
        work_item_id in (
            select work_item.id
            from work_item
            where work_item.agent = :agent and work_item.project_id between :first_project and :last_project
        )
    order by id desc
    limit :limit
) as live
union all
select id, status, started_at, ended_at, usage
from (
    select id, status, started_at, ended_at, usage
    from ended_run_state
    where
        work_item_id in (
            select work_item.id
            from work_item
            where work_item.agent = :agent and work_item.project_id between :first_project and :last_project
        )
    order by id desc
    limit :limit
) as ended
order by id desc
limit :limit
