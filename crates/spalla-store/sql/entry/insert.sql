insert into entry (work_item_id, id, queue, priority, dependencies, enqueued_at)
:values(work_item_id, id, queue, priority, dependencies, enqueued_at)
