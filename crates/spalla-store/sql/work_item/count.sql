select count(*) from work_item where archived_at is null
