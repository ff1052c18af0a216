select
    queue.id, queue.project_id, queue.executor, queue.labels, queue.agent, queue.resources,
    case
        when exists (select 1 from document where document.kind = 'quota' and document.id = queue.project_id) then 1
        else 0
    end as is_capped
from :rows(project_id, executor text, labels text, agent text, resources text)
join queue
    on queue.project_id = rows.project_id and queue.executor = rows.executor and queue.labels = rows.labels
    and queue.agent = rows.agent and queue.resources = rows.resources
order by queue.id
