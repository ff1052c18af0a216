select delayed.work_item_id, delayed.prio, delayed.fence, delayed.attempt, delayed.failures, delayed.due_at
from delayed
where delayed.work_item_id = :row(work_item_id)
