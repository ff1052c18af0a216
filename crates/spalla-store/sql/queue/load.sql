-- Nothing of an archived project is started.
select
    queue.id, queue.project_id, queue.executor, queue.labels,
    exists (select 1 from document where document.kind = 'quota' and document.id = queue.project_id) as is_capped
from queue
join project on project.id = queue.project_id
where project.archived_at is null
order by queue.id
