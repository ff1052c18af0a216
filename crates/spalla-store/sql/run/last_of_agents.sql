-- How the newest run of each agent ended of those that did. An agent with few work items has it found by these, one with many
-- by reading back from the newest run until one is its own. Nothing else is read of a run.
select
    agents.project_id, agents.agent,
    case
        when (
            select count(*)
            from (
                select work_item.id
                from work_item
                where work_item.agent = agents.agent and work_item.project_id = agents.project_id
                limit cast(:few as bigint)
            ) as counted
        ) < cast(:few as bigint)
        then (
            select last.status
            from run as last
            where last.id = (
                select max(run.id)
                from work_item
                cross join run
                where
                    work_item.agent = agents.agent and work_item.project_id = agents.project_id
                    and run.work_item_id = work_item.id
            )
        )
        else (
            select run.status
            from run
            cross join work_item
            where
                work_item.id = run.work_item_id
                and work_item.agent = agents.agent and work_item.project_id = agents.project_id
            order by run.id desc
            limit 1
        )
    end as status
from (
    select distinct queue.project_id, queue.agent
    from queue
    where
        queue.agent <> ''
        and (cast(:project_id as bigint) is null or queue.project_id = :project_id)
        and (cast(:agent as text) is null or queue.agent = :agent)
) as agents
limit :limit
