update project
set name = rows.name, description = rows.description, repository = rows.repository, limits = rows.limits,
    archived_at = rows.archived_at
from :rows(id, name text, description text, repository text, limits text, archived_at)
where project.id = rows.id
