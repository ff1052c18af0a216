select count(*)
from blocked
cross join work_item
where
    work_item.id = blocked.work_item_id
    and (cast(:project_id as bigint) is null or work_item.project_id = :project_id)
    and (cast(:reason as text) is null or blocked.reason = :reason)
