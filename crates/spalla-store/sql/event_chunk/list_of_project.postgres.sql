-- Chunks that may hold events of a project, and of a run where one is asked for, from the stretches in which the project
-- has some. Their lists are looked at before the events are unpacked.
select event_chunk.last_seq, event_chunk.events, event_chunk.data
from event_stretch
cross join event_chunk
where
    event_stretch.project_id = :project_id and event_stretch.stretch >= cast(:after as bigint) / 1024
    and event_chunk.last_seq >= event_stretch.stretch * 1024
    and event_chunk.last_seq < (event_stretch.stretch + 1) * 1024 and event_chunk.last_seq > :after
    and position(cast(:project as bytea) in event_chunk.projects) > 0
    and (cast(:run as bytea) is null or position(cast(:run as bytea) in event_chunk.runs) > 0)
order by event_stretch.stretch, event_chunk.last_seq
limit :limit
