insert into entry (work_item_id, id, queue, prio, priority, moved, dependencies, enqueued_at)
:values(work_item_id, id, queue, prio, priority, moved text, dependencies, enqueued_at)
