-- A row that counts would keep every other transaction waiting until this one ends, and plain calls of nextval can
-- interleave with those of others. So whoever takes several numbers in a row holds a lock just while it takes them:
-- each step reads the one before, which fixes their order.
with wanted as (
    select cast(:count as bigint) as count, cast(:name as text) || '_seq' as name
),
held as materialized (
    select count, name, pg_advisory_lock(1936744812, hashtext(name)) from wanted
),
first as materialized (
    select count, name, nextval(cast(name as regclass)) as id from held
),
last as materialized (
    select name, id, setval(cast(name as regclass), id + count - 1) from first
),
freed as materialized (
    select id, pg_advisory_unlock(1936744812, hashtext(name)) from last
)
select id from freed
