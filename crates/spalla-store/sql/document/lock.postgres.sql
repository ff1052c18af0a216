-- What is not there yet is no row that could be locked: two who count at once would both find room for one more.
select pg_advisory_xact_lock(1936744812, 3)
