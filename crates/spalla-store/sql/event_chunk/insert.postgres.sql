-- Under its lock, so that the numbers go on from the newest that is committed: each chunk says how many events of this
-- transaction there are up to its end.
insert into event_chunk (last_seq, events, projects, runs, data)
select
    (select coalesce(max(event_chunk.last_seq), 0) from event_chunk) + rows.upto, rows.events, rows.projects,
    rows.runs, rows.data
from :rows(upto, events, projects blob, runs blob, data blob)
returning last_seq
