select id, at, principal, client, operation, resource, request_id, outcome, code, previous_hash, hash
from audit
where
    principal = :principal and id < :before
    and (
        cast(:resource as text) is null or resource = :resource
        or (resource >= :beneath and resource < :beneath_end)
    )
    and (cast(:operation as text) is null or operation = :operation)
    and (cast(:outcome as text) is null or outcome = :outcome)
order by id desc
limit :limit offset :offset
