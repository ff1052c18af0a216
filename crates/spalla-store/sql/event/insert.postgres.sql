-- Under its lock; the sequence is asked here, in the order of the rows, so that the numbers cost no round trip.
insert into event (seq, at, project_id, work_item_id, run_id, kind, body)
select
    coalesce(facts.seq, nextval('event_seq')), facts.at, facts.project_id, facts.work_item_id, facts.run_id,
    facts.kind, facts.body
from (
    select * from :ordered_rows(seq, at, project_id, work_item_id, run_id, kind text, body text) order by rows.ord
) as facts
returning seq
