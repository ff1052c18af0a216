select work_item_state.*
from blocked
cross join work_item_state
where
    blocked.work_item_id < :before and blocked.broken_reason is not null
    and work_item_state.id = blocked.work_item_id and work_item_state.archived_at is null
    and (cast(:project_id as bigint) is null or blocked.project_id = :project_id)
order by blocked.work_item_id desc
limit :limit offset :offset
