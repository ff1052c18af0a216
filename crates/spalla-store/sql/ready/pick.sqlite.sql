select ready.work_item_id, ready.prio, ready.fence, ready.attempt, ready.failures
from ready
where ready.queue = (select rows.queue from :rows(queue))
order by ready.prio, ready.work_item_id
limit :limit
