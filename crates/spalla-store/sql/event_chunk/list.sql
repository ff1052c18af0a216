select last_seq, events, data
from event_chunk
where last_seq > :after
order by last_seq
limit :limit
