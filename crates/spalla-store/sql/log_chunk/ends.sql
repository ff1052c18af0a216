select
    rows.run_id,
    (
        select log_chunk.first_seq + log_chunk.lines
        from log_chunk
        where log_chunk.run_id = rows.run_id
        order by log_chunk.first_seq desc
        limit 1
    )
from :rows(run_id)
