select project.id, project.name, project.description, project.repository, project.limits, project.created_at, project.archived_at
from project
where :among(project.id)
