select *
from ended_run_state
where project_id = :project_id and status = :status and id < :before
order by id desc
limit :limit offset :offset
