-- Most succeed, so the newest of all are looked through.
select *
from ended_run_state
where status = :status and id < :before
order by id desc
limit :limit offset :offset
