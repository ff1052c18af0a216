select * from (select * from live_run_state where id = :id) as live
union all
select * from (select * from ended_run_state where id = :id) as ended
