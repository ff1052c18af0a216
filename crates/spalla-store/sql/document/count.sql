select count(*)
from document
where
    kind = :kind and (cast(:owner as bigint) is null or owner = :owner)
    and (cast(:status as text) is null or status = :status)
