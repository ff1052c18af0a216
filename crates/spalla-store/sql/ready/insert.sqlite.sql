-- `or fail` spares the copy that SQLite keeps to undo the statement alone: an error undoes the whole transaction.
insert or fail into ready (queue, prio, work_item_id, fence, attempt, failures)
select rows.queue, rows.prio, rows.work_item_id, rows.fence, rows.attempt, rows.failures
from :rows(queue, prio, work_item_id, fence, attempt, failures)
