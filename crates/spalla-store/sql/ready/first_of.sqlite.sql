select ready.queue, ready.work_item_id
from ready
where ready.queue = :row(queue)
order by ready.prio, ready.work_item_id
limit 1
