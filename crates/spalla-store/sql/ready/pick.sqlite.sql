select ready.queue, ready.priority, ready.work_item_id, ready.prio, ready.fence, ready.attempt, ready.failures
from ready
where ready.queue = :row(queue)
order by ready.prio, ready.work_item_id
limit :limit
