insert into project (id, name, description, repository, created_at, archived_at)
select rows.id, rows.name, rows.description, rows.repository, rows.created_at, rows.archived_at
from :rows(id, name text, description text, repository text, created_at, archived_at)
