-- Chunks that may hold events of a project, of a run, or both: the lists are looked at before the events are unpacked.
select last_seq, events, data
from event_chunk
where
    last_seq > :after
    and (cast(:project as blob) is null or instr(projects, cast(:project as blob)) > 0)
    and (cast(:run as blob) is null or instr(runs, cast(:run as blob)) > 0)
order by last_seq
limit :limit
