insert into worker (name, heard_at, offer)
:values(name text, heard_at, offer text)
on conflict (name) do update
set heard_at = excluded.heard_at, offer = coalesce(excluded.offer, worker.offer)
