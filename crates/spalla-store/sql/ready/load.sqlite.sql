-- The entry knows the item's place in line, if it has one.
select ready.work_item_id, ready.prio, ready.fence, ready.attempt, ready.failures
from entry
cross join ready
where
    :among(entry.work_item_id)
    and ready.queue = entry.queue and ready.prio = entry.prio and ready.work_item_id = entry.work_item_id
