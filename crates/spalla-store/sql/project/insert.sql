insert into project (id, name, description, repository, limits, created_at, archived_at)
:values(id, name text, description text, repository text, limits text, created_at, archived_at)
