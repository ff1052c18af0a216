insert into log_chunk (run_id, first_seq, lines, data)
:values(run_id, first_seq, lines, data blob)
