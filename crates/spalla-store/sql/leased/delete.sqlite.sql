delete from leased
where :among(work_item_id, run_id, fence)
