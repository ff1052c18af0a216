-- One branch for each state, because the index has them one after the other.
select *
from (
    select *
    from live_run_state
    where queue in (select queue.id from queue where queue.project_id = :project_id) and id < :before
    order by id desc
    limit cast(:limit as bigint) + cast(:offset as bigint)
) as live
union all
select *
from (
    select *
    from ended_run_state
    where project_id = :project_id and status = 'succeeded' and id < :before
    order by id desc
    limit cast(:limit as bigint) + cast(:offset as bigint)
) as succeeded
union all
select *
from (
    select *
    from ended_run_state
    where project_id = :project_id and status = 'failed' and id < :before
    order by id desc
    limit cast(:limit as bigint) + cast(:offset as bigint)
) as failed
union all
select *
from (
    select *
    from ended_run_state
    where project_id = :project_id and status = 'cancelled' and id < :before
    order by id desc
    limit cast(:limit as bigint) + cast(:offset as bigint)
) as cancelled
union all
select *
from (
    select *
    from ended_run_state
    where project_id = :project_id and status = 'lost' and id < :before
    order by id desc
    limit cast(:limit as bigint) + cast(:offset as bigint)
) as lost
order by id desc
limit :limit offset :offset
