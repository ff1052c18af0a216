-- Others may use the project at the same time, but nobody may change it. The last column tells which version of it this is.
select project.id, project.name, project.description, project.repository, project.limits, project.created_at, project.archived_at,
    cast(cast(project.xmin as text) as bigint)
from :rows(id)
join project on project.id = rows.id
order by project.id
for share of project
