delete from open where work_item_id = :row(work_item_id)
