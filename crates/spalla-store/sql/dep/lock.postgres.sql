-- Two who add edges at once could each close half a circle that neither sees.
select pg_advisory_xact_lock(1936744812, 1)
