-- Whoever did not succeed is found by an index of its own.
select work_item_state.*
from (
    select finished.work_item_id
    from finished
    where
        finished.status = :status and finished.status <> 'succeeded' and finished.work_item_id < :before
        and not exists (
            select 1 from work_item where work_item.id = finished.work_item_id and work_item.archived_at is not null
        )
    order by finished.work_item_id desc
    limit :limit offset :offset
) as newest
cross join work_item_state
where work_item_state.id = newest.work_item_id
order by work_item_state.id desc
