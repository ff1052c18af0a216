select count(*)
from work_item_state
where
    (
        cast(:label as text) is null
        -- Labels are a JSON array of strings, so a label stands between its quotes, behind a bracket or a comma.
        or queue in (
            select queue.id
            from queue
            where replace(replace(queue.labels, '[' || :label, ''), ',' || :label, '') <> queue.labels
        )
    )
    and (
        cast(:pattern as text) is null
        or lower(title) like :pattern escape '\' or lower(description) like :pattern escape '\'
        or lower(prompt) like :pattern escape '\'
    )
    and case when cast(:status as text) is null then archived_at is null else status = :status end
