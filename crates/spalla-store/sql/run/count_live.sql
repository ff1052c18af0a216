select count(*)
from live_run_state
where
    status = :status
    and (
        cast(:project_id as bigint) is null
        or queue in (select queue.id from queue where queue.project_id = :project_id)
    )
