delete from delayed
where (due_at, work_item_id, fence) = (
    select rows.due_at, rows.work_item_id, rows.fence from :rows(due_at, work_item_id, fence)
)
