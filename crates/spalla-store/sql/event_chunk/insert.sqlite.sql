-- One chunk after another, each numbered on from the one before.
insert into event_chunk (last_seq, events, projects, runs, data)
select
    (select coalesce(max(event_chunk.last_seq), 0) from event_chunk) + rows.events, rows.events, rows.projects,
    rows.runs, rows.data
from :rows(upto, events, projects blob, runs blob, data blob)
returning last_seq
