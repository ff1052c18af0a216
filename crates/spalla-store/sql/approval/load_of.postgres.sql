select
    approval.id, approval.work_item_id, approval.kind, approval.status, approval.requested_at, approval.decided_at,
    approval.decided_by, approval.note, approval.subject
from :rows(work_item_id)
join approval on approval.work_item_id = rows.work_item_id
order by approval.id
for update of approval
