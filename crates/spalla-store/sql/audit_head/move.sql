-- Only from where it was read.
update audit_head
set id = rows.id, hash = rows.hash
from :rows(before, id, hash blob)
where audit_head.id = rows.before
