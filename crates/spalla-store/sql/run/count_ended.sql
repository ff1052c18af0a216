select count(*) from run where status = :status
