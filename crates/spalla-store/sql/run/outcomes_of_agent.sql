-- What came of the newest runs of an agent with many work items, without what they produced: this reads back from the newest run
-- until there are enough.
select id, status, started_at, ended_at, usage
from (
    select id, status, started_at, ended_at, usage
    from live_run_state
    where
        agent = :agent
        and (cast(:project_id as bigint) is null or project_id = :project_id)
    order by id desc
    limit :limit
) as live
union all
select id, status, started_at, ended_at, usage
from (
    select id, status, started_at, ended_at, usage
    from ended_run_state
    where
        agent = :agent
        and (cast(:project_id as bigint) is null or project_id = :project_id)
    order by id desc
    limit :limit
) as ended
order by id desc
limit :limit
