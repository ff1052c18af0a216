select count(*)
from leased
cross join work_item
where
    work_item.id = leased.work_item_id and work_item.archived_at is null
    and (cast(:project_id as bigint) is null or work_item.project_id = :project_id)
