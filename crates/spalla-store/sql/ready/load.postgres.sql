-- The entry knows the item's place in line, if it has one.
select ready.work_item_id, ready.prio, ready.fence, ready.attempt, ready.failures
from :rows(work_item_id)
join entry on entry.work_item_id = rows.work_item_id
join ready on ready.queue = entry.queue and ready.prio = entry.prio and ready.work_item_id = entry.work_item_id
order by ready.work_item_id
for update of ready
