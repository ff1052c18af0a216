insert into artifact (run_id, path, id, media_type, bytes, sha256, stored_at)
:values(run_id, path text, id, media_type text, bytes, sha256 text, stored_at)
on conflict (run_id, path) do nothing
