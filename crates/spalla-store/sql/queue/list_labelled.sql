-- Labels are a JSON array of strings, so a label stands between its quotes, behind a bracket or a comma.
select id
from queue
where
    (cast(:project_id as bigint) is null or project_id = :project_id)
    and replace(replace(labels, '[' || cast(:label as text), ''), ',' || :label, '') <> labels
order by id
limit :limit
