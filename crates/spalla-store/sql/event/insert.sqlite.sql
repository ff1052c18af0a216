insert into event (seq, at, project_id, work_item_id, run_id, kind, body)
:values(seq, at, project_id, work_item_id, run_id, kind text, body text)
