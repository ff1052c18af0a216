select id, project_id, executor, labels from queue order by id
