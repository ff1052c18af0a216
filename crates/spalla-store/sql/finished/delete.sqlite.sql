delete from finished
where (work_item_id, fence) = :row(work_item_id, fence)
