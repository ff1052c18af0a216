delete from delayed
where :among(due_at, work_item_id, fence)
