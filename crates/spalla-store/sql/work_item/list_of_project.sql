select work_item_state.*
from work_item_state
where project_id = :project_id and archived_at is null and id < :before
order by id desc
limit :limit offset :offset
