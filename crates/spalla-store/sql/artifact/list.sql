select id, run_id, path, media_type, bytes, sha256, stored_at
from artifact
where run_id = :run_id and id < :before
order by id desc
limit :limit offset :offset
