insert into queue (id, project_id, executor, labels)
select rows.id, rows.project_id, rows.executor, rows.labels
from :rows(id, project_id, executor text, labels text)
