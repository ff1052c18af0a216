select seq, at, project_id, work_item_id, run_id, kind, body
from event
where
    run_id = :run_id and seq > :after and (cast(:project_id as bigint) is null or project_id = :project_id)
order by seq
limit :limit
