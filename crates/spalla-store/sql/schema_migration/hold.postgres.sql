-- Of two servers that start at once one waits here until the other one's migration is committed. The number is the
-- word "spalla"; SQLite needs none of this, its transactions wait for each other.
select pg_advisory_xact_lock(126926508026977)
