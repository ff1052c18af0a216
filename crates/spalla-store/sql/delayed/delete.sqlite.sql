delete from delayed
where (due_at, work_item_id, fence) = :row(due_at, work_item_id, fence)
