insert into open (work_item_id)
:values(work_item_id)
