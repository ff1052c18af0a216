select
    (
        select count(*)
        from leased
        cross join queue
        where queue.id = leased.queue and queue.project_id = :project_id
    )
    + (select count(*) from run where project_id = :project_id)
