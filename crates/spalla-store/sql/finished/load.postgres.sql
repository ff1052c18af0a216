select
    finished.work_item_id, finished.prio, finished.fence, finished.attempt, finished.failures, finished.status,
    finished.at
from :rows(work_item_id)
join finished on finished.work_item_id = rows.work_item_id
order by finished.work_item_id
for update of finished
