select count(*) as count, cast(coalesce(sum(bytes), 0) as bigint) as bytes from artifact where run_id = :run_id
