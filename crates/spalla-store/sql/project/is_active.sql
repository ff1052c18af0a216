select count(*)
from (
    select 1
    from leased
    join queue on queue.id = leased.queue
    where queue.project_id = :project_id
    limit 1
) as live
