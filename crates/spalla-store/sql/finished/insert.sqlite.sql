insert or fail into finished (work_item_id, project_id, status, at, prio, fence, attempt, failures)
select
    rows.work_item_id, queue.project_id, rows.status, rows.at, rows.prio, rows.fence, rows.attempt, rows.failures
from :rows(work_item_id, queue, status text, at, prio, fence, attempt, failures)
join queue on queue.id = rows.queue
