delete from open where work_item_id = (select rows.work_item_id from :rows(work_item_id))
