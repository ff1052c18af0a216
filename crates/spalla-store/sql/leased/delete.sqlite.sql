delete from leased
where (work_item_id, run_id, fence) = (
    select rows.work_item_id, rows.run_id, rows.fence from :rows(work_item_id, run_id, fence)
)
