select count(*) as number
from leased
join queue on queue.id = leased.queue
where
    (cast(:project_id as bigint) is null or queue.project_id = :project_id)
    and (cast(:agent as text) is null or queue.agent = :agent)
