select count(*) from run where project_id = :project_id and status = :status
