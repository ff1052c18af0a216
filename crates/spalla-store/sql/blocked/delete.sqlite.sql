delete from blocked
where (work_item_id, fence) = (select rows.work_item_id, rows.fence from :rows(work_item_id, fence))
