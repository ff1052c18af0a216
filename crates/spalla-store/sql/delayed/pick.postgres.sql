select work_item_id, prio, fence, attempt, failures, due_at
from delayed
where due_at <= :now
order by due_at, work_item_id
limit :limit
for update skip locked
