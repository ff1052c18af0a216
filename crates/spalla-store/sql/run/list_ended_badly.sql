-- Whatever did not succeed is found by an index of its own.
select *
from ended_run_state
where status = :status and status <> 'succeeded' and id < :before
order by id desc
limit :limit offset :offset
