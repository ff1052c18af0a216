select best.queue, best.work_item_id
from :rows(queue)
cross join lateral (
    select ready.queue, ready.work_item_id
    from ready
    where ready.queue = rows.queue
    order by ready.prio, ready.work_item_id
    limit 1
) as best
