select work_item_state.*
from open
cross join work_item_state
where
    open.work_item_id < :before
    and work_item_state.id = open.work_item_id and work_item_state.archived_at is null
    and (cast(:project_id as bigint) is null or open.project_id = :project_id)
order by open.work_item_id desc
limit :limit offset :offset
