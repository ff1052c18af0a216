select work_item_state.*
from work_item_state
where
    archived_at is not null and id < :before
    and (cast(:project_id as bigint) is null or project_id = :project_id)
order by id desc
limit :limit offset :offset
