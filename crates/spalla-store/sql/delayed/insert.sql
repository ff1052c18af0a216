insert into delayed (due_at, work_item_id, prio, fence, attempt, failures)
select rows.due_at, rows.work_item_id, rows.prio, rows.fence, rows.attempt, rows.failures
from :rows(due_at, work_item_id, prio, fence, attempt, failures)
