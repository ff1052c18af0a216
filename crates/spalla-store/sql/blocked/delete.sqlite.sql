delete from blocked
where :among(work_item_id, fence)
