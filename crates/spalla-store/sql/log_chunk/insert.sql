insert into log_chunk (run_id, first_seq, lines, data)
select rows.run_id, rows.first_seq, rows.lines, rows.data from :rows(run_id, first_seq, lines, data blob)
