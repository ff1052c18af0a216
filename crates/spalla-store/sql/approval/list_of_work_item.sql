select
    approval.id, approval.work_item_id, approval.kind, approval.status, approval.requested_at, approval.decided_at,
    approval.decided_by, approval.note, approval.subject, work_item.title
from approval
cross join work_item
where
    approval.work_item_id = :work_item_id and approval.id < :before and work_item.id = approval.work_item_id
    and (cast(:status as text) is null or approval.status = :status)
order by approval.id desc
limit :limit offset :offset
