insert into audit (
    id, at, principal, client, operation, resource, request_id, outcome, code, previous_hash, hash, thing, collection
)
:values(
    id, at, principal text, client text, operation text, resource text, request_id text, outcome text, code text,
    previous_hash blob, hash blob, thing text, collection text
)
