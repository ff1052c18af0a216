select delayed.work_item_id, delayed.prio, delayed.fence, delayed.attempt, delayed.failures, delayed.due_at
from delayed
where :among(delayed.work_item_id)
