select
    approval.id, approval.work_item_id, approval.kind, approval.status, approval.requested_at, approval.decided_at,
    approval.decided_by, approval.note, approval.subject
from :rows(id)
join approval on approval.id = rows.id
order by approval.id
for update of approval
