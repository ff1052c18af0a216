select seq, at, project_id, work_item_id, run_id, kind, body
from event
where seq > :after
order by seq
limit :limit
