-- A key that nobody has used yet is no row that could be locked. One order everywhere keeps two requests with the same
-- keys from waiting in a circle.
select pg_advisory_xact_lock(wanted.digest)
from (select distinct hashtextextended(rows.key, 0) as digest from :rows(key text) order by digest) as wanted
