insert into finished (work_item_id, project_id, status, at, prio, fence, attempt, failures)
:values(work_item_id, project_id, status text, at, prio, fence, attempt, failures)
