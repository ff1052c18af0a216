-- Nothing of an archived project is started. Where there are many queues, only those are read in which something waits
-- for a claimer, found by steps from one to the next; `head` then is the key of the best
-- that is ready, and `is_pending` tells of runs that nobody holds.
with recursive size as (
    select case when count(*) > 64 then 1 else 0 end as is_large from (select id from queue limit 65) as few
),
ready_queue(id) as (
    select min(ready.queue) from ready where (select size.is_large from size) = 1
    union all
    select (select min(ready.queue) from ready where ready.queue > ready_queue.id)
    from ready_queue
    where ready_queue.id is not null
),
pending_queue(id) as (
    select min(leased.queue)
    from leased
    where
        leased.worker is null and leased.holds = 0 and leased.paused = 0
        and (select size.is_large from size) = 1
    union all
    select (
        select min(leased.queue)
        from leased
        where
            leased.worker is null and leased.holds = 0 and leased.paused = 0 and leased.queue > pending_queue.id
    )
    from pending_queue
    where pending_queue.id is not null
)
select
    queue.id, queue.project_id, queue.executor, queue.labels, queue.agent, queue.resources,
    case
        when exists (select 1 from document where document.kind = 'quota' and document.id = queue.project_id) then 1
        else 0
    end as is_capped,
    size.is_large,
    case
        when size.is_large = 1
            then (select min(ready.prio) from ready where ready.queue = queue.id)
    end as head,
    case when queue.id in (select pending_queue.id from pending_queue) then 1 else 0 end as is_pending
from size
cross join queue
join project on project.id = queue.project_id
where
    project.archived_at is null
    and (
        size.is_large = 0
        or queue.id in (select ready_queue.id from ready_queue)
        or queue.id in (select pending_queue.id from pending_queue)
    )
order by queue.id
