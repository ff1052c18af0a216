insert into ready (queue, prio, work_item_id, priority, fence, attempt, failures)
:values(queue, prio, work_item_id, priority, fence, attempt, failures)
