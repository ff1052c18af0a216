insert into entry (work_item_id, id, queue, prio, priority, dependencies, enqueued_at)
:values(work_item_id, id, queue, prio, priority, dependencies, enqueued_at)
