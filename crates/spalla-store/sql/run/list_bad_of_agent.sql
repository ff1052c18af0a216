-- Most runs of an agent succeed, so those that did not are found among the others that did not.
select *
from ended_run_state
where
    status = :status and status <> 'succeeded' and agent = :agent and id < :before
    and (cast(:project_id as bigint) is null or project_id = :project_id)
order by id desc
limit :limit offset :offset
