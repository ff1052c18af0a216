update approval
set status = rows.status, decided_at = rows.decided_at, decided_by = rows.decided_by, note = rows.note
from :rows(id, status text, decided_at, decided_by text, note text)
where approval.id = rows.id and approval.decided_at is null
