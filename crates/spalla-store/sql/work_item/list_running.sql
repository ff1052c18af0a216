select work_item_state.*
from leased
cross join work_item_state
where
    leased.work_item_id < :before
    and work_item_state.id = leased.work_item_id and work_item_state.archived_at is null
    and (
        cast(:project_id as bigint) is null
        or leased.queue in (select queue.id from queue where queue.project_id = :project_id)
    )
order by leased.work_item_id desc
limit :limit offset :offset
