select ready.work_item_id, ready.prio, ready.fence, ready.attempt, ready.failures
from :rows(work_item_id)
join ready on ready.work_item_id = rows.work_item_id
