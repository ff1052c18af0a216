-- Behind the chunks, whose numbers follow from the newest: `behind` is how many events of this transaction come later.
insert into event_stretch (project_id, stretch)
select rows.project_id, ((select max(event_chunk.last_seq) from event_chunk) - rows.behind) / 1024
from :rows(project_id, behind)
where true
on conflict do nothing
