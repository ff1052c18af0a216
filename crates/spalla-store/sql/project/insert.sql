insert into project (id, name, description, repository, created_at, archived_at)
:values(id, name text, description text, repository text, created_at, archived_at)
