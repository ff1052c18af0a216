insert into document (kind, id, owner, status, due_at, body)
:values(kind text, id, owner, status text, due_at, body text)
on conflict (kind, id) do update
set owner = excluded.owner, status = excluded.status, due_at = excluded.due_at, body = excluded.body
