delete from worker where heard_at < :row(before)
