delete from leased
where (work_item_id, run_id, fence) = :row(work_item_id, run_id, fence)
