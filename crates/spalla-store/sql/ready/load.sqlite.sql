select ready.work_item_id, ready.prio, ready.fence, ready.attempt, ready.failures
from ready
where ready.work_item_id = :row(work_item_id)
