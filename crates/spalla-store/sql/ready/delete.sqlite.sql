delete from ready
where (queue, prio, work_item_id, fence) = (
    select rows.queue, rows.prio, rows.work_item_id, rows.fence from :rows(queue, prio, work_item_id, fence)
)
