-- The newest of each queue, from which the caller takes the newest of all.
select work_item_state.*
from work_item_state
where
    queue = :row(queue) and labels <> '[]' and -id > -cast(:before as bigint)
    and (
        cast(:pattern as text) is null
        or lower(title) like :pattern escape '\' or lower(description) like :pattern escape '\'
        or lower(prompt) like :pattern escape '\'
    )
    and case when cast(:status as text) is null then archived_at is null else status = :status end
order by -id
limit :limit
