insert into open (work_item_id, project_id)
:values(work_item_id, project_id)
