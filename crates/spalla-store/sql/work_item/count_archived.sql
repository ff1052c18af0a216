select count(*)
from work_item
where archived_at is not null and (cast(:project_id as bigint) is null or project_id = :project_id)
