select
    approval.id, approval.work_item_id, approval.kind, approval.status, approval.requested_at, approval.decided_at,
    approval.decided_by, approval.note, approval.subject, work_item.title
from approval
cross join work_item
where
    approval.id = :id and work_item.id = approval.work_item_id
