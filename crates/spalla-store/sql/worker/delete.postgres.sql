delete from worker using :rows(before) where worker.heard_at < rows.before
