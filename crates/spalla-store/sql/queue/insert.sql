insert into queue (id, project_id, executor, labels)
:values(id, project_id, executor text, labels text)
