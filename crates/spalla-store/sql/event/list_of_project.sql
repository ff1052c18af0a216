select seq, at, project_id, work_item_id, run_id, kind, body
from event
where project_id = :project_id and seq > :after
order by seq
limit :limit
