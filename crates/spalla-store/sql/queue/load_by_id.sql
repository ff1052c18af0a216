select
    queue.id, queue.project_id, queue.executor, queue.labels, queue.agent, queue.resources,
    case
        when exists (select 1 from document where document.kind = 'quota' and document.id = queue.project_id) then 1
        else 0
    end as is_capped
from :rows(id)
join queue on queue.id = rows.id
order by queue.id
