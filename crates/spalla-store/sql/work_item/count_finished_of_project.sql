-- Archived items are few and found by an index of their own, so they are taken off instead of left out.
select
    (select count(*) from finished where project_id = :project_id and status = :status)
    - (
        select count(*)
        from work_item
        cross join finished
        where
            work_item.archived_at is not null and work_item.project_id = :project_id
            and finished.work_item_id = work_item.id and finished.status = :status
    )
