select count(*)
from ready
where
    cast(:project_id as bigint) is null
    or ready.queue in (select queue.id from queue where queue.project_id = :project_id)
