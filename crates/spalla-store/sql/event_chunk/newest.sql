select coalesce(max(last_seq), 0) as seq from event_chunk
