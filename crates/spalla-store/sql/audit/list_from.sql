-- The chain, from its beginning on.
select id, at, principal, client, operation, resource, request_id, outcome, code, previous_hash, hash
from audit
where id > :after
order by id
limit :limit
