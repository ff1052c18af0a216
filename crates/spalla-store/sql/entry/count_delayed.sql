select count(*)
from delayed
where
    (cast(:project_id as bigint) is null or delayed.project_id = :project_id)
