insert into approval (id, work_item_id, kind, status, requested_at, decided_at, decided_by, note)
select
    rows.id, rows.work_item_id, rows.kind, rows.status, rows.requested_at, rows.decided_at, rows.decided_by,
    rows.note
from :rows(
    id, work_item_id, kind text, status text, requested_at, decided_at, decided_by text, note text
)
