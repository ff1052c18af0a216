select count(*) from project where archived_at is null
