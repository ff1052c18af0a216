select id, name, description, repository, limits, created_at, archived_at
from project
where id = :id
