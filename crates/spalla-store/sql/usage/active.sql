select count(*) as number
from leased
join queue on queue.id = leased.queue
where queue.project_id = :project_id
