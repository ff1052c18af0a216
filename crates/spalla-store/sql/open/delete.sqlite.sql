delete from open where :among(work_item_id)
