-- The newest of those that are not over and of those that are, then the newest of these.
select *
from (
    select *
    from live_run_state
    where id < :before
    order by id desc
    limit cast(:limit as bigint) + cast(:offset as bigint)
) as live
union all
select *
from (
    select *
    from ended_run_state
    where id < :before
    order by id desc
    limit cast(:limit as bigint) + cast(:offset as bigint)
) as ended
order by id desc
limit :limit offset :offset
