select
    approval.id, approval.work_item_id, approval.kind, approval.status, approval.requested_at, approval.decided_at,
    approval.decided_by, approval.note, approval.subject
from approval
where :among(approval.id)
