select name, heard_at, offer from worker where heard_at >= :since order by name
