insert into delayed (due_at, work_item_id, project_id, prio, fence, attempt, failures)
:values(due_at, work_item_id, project_id, prio, fence, attempt, failures)
