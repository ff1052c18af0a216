-- Others may use the project at the same time, but nobody may change it.
select project.id, project.name, project.description, project.repository, project.limits, project.created_at, project.archived_at
from :rows(id)
join project on project.id = rows.id
order by project.id
for share of project
