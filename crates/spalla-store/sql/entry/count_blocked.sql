select count(*)
from blocked
where
    (cast(:project_id as bigint) is null or blocked.project_id = :project_id)
    and (cast(:reason as text) is null or blocked.reason = :reason)
