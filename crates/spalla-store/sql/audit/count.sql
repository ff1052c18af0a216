select count(*)
from audit
where
    (
        cast(:resource as text) is null or resource = :resource
        or (resource >= :beneath and resource < :beneath_end)
    )
    and (cast(:principal as text) is null or principal = :principal)
    and (cast(:operation as text) is null or operation = :operation)
    and (cast(:outcome as text) is null or outcome = :outcome)
