-- Chunks that may hold events of a run: the list is looked at before the events are unpacked.
select last_seq, events, data
from event_chunk
where last_seq > :after and instr(runs, cast(:run as blob)) > 0
order by last_seq
limit :limit
