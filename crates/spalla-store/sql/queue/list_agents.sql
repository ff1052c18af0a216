-- The agents that were ever given something to do, and the runs of each that somebody holds.
select queue.project_id, queue.agent, leased.run_id, leased.work_item_id
from queue
left join leased on leased.queue = queue.id and leased.worker is not null
where
    queue.agent <> ''
    and (cast(:project_id as bigint) is null or queue.project_id = :project_id)
    and (cast(:agent as text) is null or queue.agent = :agent)
order by queue.project_id, queue.agent, leased.run_id
limit :limit
