-- Fails where one of these projects is not as it was when it was read; others may use them at the same time, but nobody may
-- change them. What wrote a row last says which version of it this is.
with held as materialized (
    select project.id
    from :rows(id, version)
    join project on project.id = rows.id and cast(cast(project.xmin as text) as bigint) = rows.version
    for share of project
)
select 1 / (case (select count(*) from held) when cast(:count as bigint) then 1 else 0 end)
