select work_item_id, prio, fence, attempt, failures, due_at
from delayed
order by work_item_id
limit :limit
