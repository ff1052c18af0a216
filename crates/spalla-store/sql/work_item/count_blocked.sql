select count(*)
from blocked
cross join work_item
where
    work_item.id = blocked.work_item_id and work_item.archived_at is null and blocked.broken_reason is not null
    and (cast(:project_id as bigint) is null or work_item.project_id = :project_id)
