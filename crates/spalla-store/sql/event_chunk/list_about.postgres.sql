-- Chunks that may hold events of a project, of a run, or both: the lists are looked at before the events are unpacked.
select last_seq, events, data
from event_chunk
where
    last_seq > :after
    and (cast(:project as bytea) is null or position(:project in projects) > 0)
    and (cast(:run as bytea) is null or position(:run in runs) > 0)
order by last_seq
limit :limit
