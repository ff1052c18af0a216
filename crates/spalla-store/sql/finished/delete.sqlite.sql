delete from finished
where :among(work_item_id, fence)
