-- From here to the end of the transaction nobody else takes event numbers, so that a lower number never becomes
-- visible after a higher one. It comes last, because every other writer waits.
select pg_advisory_xact_lock(1936744812, 2)
