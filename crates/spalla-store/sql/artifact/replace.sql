update artifact
set id = rows.id, media_type = rows.media_type, bytes = rows.bytes, sha256 = rows.sha256, stored_at = rows.stored_at
from :rows(run_id, path text, known, id, media_type text, bytes, sha256 text, stored_at)
where artifact.run_id = rows.run_id and artifact.path = rows.path and artifact.id = rows.known
