-- From the chunk on that holds the line.
select first_seq, data
from log_chunk
where
    run_id = :run_id and first_seq + lines > :from_seq
    and first_seq >= coalesce(
        (select max(first_seq) from log_chunk where run_id = :run_id and first_seq <= :from_seq), :from_seq
    )
order by first_seq
limit :limit
