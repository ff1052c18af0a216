select count(*)
from delayed
cross join work_item
where
    work_item.id = delayed.work_item_id
    and (cast(:project_id as bigint) is null or work_item.project_id = :project_id)
