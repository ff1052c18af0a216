insert or fail into event (seq, at, project_id, work_item_id, run_id, kind, body)
select rows.seq, rows.at, rows.project_id, rows.work_item_id, rows.run_id, rows.kind, rows.body
from :ordered_rows(seq, at, project_id, work_item_id, run_id, kind text, body text)
