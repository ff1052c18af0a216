select id, at, principal, client, operation, resource, request_id, outcome, code, previous_hash, hash
from audit
where
    outcome <> 'done' and outcome = :outcome and id < :before
    and (
        cast(:resource as text) is null or resource = :resource
        or (resource >= :beneath and resource < :beneath_end)
    )
    and (cast(:principal as text) is null or principal = :principal)
    and (cast(:operation as text) is null or operation = :operation)
order by id desc
limit :limit offset :offset
