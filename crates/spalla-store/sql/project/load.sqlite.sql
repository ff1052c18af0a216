select project.id, project.name, project.description, project.repository, project.created_at, project.archived_at
from :rows(id)
join project on project.id = rows.id
