insert into queue (id, project_id, executor, labels, agent, resources)
:values(id, project_id, executor text, labels text, agent text, resources text)
