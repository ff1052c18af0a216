delete from delayed
using :rows(due_at, work_item_id, fence)
where
    delayed.due_at = rows.due_at and delayed.work_item_id = rows.work_item_id and delayed.fence = rows.fence
