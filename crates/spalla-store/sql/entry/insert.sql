insert into entry (work_item_id, id, queue, priority, dependencies, enqueued_at)
select rows.work_item_id, rows.id, rows.queue, rows.priority, rows.dependencies, rows.enqueued_at
from :rows(work_item_id, id, queue, priority, dependencies, enqueued_at)
