insert into approval (id, work_item_id, kind, status, requested_at, decided_at, decided_by, note, subject)
:values(
    id, work_item_id, kind text, status text, requested_at, decided_at, decided_by text, note text, subject text
)
