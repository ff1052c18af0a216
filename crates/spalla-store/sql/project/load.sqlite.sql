select project.id, project.name, project.description, project.repository, project.created_at, project.archived_at
from project
where project.id = :row(id)
