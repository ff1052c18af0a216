select count(*)
from live_run_state
where status = :status and (cast(:project_id as bigint) is null or project_id = :project_id)
