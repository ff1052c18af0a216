update project
set name = rows.name, description = rows.description, repository = rows.repository, archived_at = rows.archived_at
from :rows(id, name text, description text, repository text, archived_at)
where project.id = rows.id
