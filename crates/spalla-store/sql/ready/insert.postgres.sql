insert into ready (queue, prio, work_item_id, fence, attempt, failures)
select rows.queue, rows.prio, rows.work_item_id, rows.fence, rows.attempt, rows.failures
from :rows(queue, prio, work_item_id, fence, attempt, failures)
