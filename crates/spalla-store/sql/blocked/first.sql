select work_item_id, prio, fence, attempt, failures, unmet, broken_reason, broken_by, pending, rejected, due_at
from blocked
order by work_item_id
limit :limit
