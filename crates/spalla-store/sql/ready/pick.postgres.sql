-- The best of each queue, from which the caller takes the best of all: rows of several queues have no common order in
-- the index. What another claimer holds is passed over.
select best.queue, best.priority, best.work_item_id, best.prio, best.fence, best.attempt, best.failures
from :rows(queue)
cross join lateral (
    select ready.queue, ready.priority, ready.work_item_id, ready.prio, ready.fence, ready.attempt, ready.failures
    from ready
    where ready.queue = rows.queue
    order by ready.prio, ready.work_item_id
    limit :limit
    for update skip locked
) as best
