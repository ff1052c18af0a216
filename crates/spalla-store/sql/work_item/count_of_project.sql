select count(*) from work_item where project_id = :project_id and archived_at is null
