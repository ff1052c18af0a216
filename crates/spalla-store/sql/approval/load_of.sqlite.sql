select
    approval.id, approval.work_item_id, approval.kind, approval.status, approval.requested_at, approval.decided_at,
    approval.decided_by, approval.note
from :rows(work_item_id)
join approval on approval.work_item_id = rows.work_item_id
