select delayed.work_item_id, delayed.prio, delayed.fence, delayed.attempt, delayed.failures, delayed.due_at
from :rows(work_item_id)
join delayed on delayed.work_item_id = rows.work_item_id
order by delayed.work_item_id
for update of delayed
