insert into delayed (due_at, work_item_id, prio, fence, attempt, failures)
:values(due_at, work_item_id, prio, fence, attempt, failures)
