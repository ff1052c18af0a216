select kind, id, owner, status, due_at, body
from document
where kind = :kind and owner = :owner and id < :before and (cast(:status as text) is null or status = :status)
order by id desc
limit :limit offset :offset
