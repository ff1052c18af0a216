select id, name, description, repository, created_at, archived_at
from project
where id = :id
