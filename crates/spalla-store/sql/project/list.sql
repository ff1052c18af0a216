select id, name, description, repository, limits, created_at, archived_at
from project
where archived_at is null and id < :before
order by id desc
limit :limit offset :offset
