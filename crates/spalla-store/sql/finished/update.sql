update finished
set
    status = rows.status, at = rows.at, prio = rows.prio, fence = rows.fence, attempt = rows.attempt,
    failures = rows.failures
from :rows(work_item_id, fence_before, status text, at, prio, fence, attempt, failures)
where finished.work_item_id = rows.work_item_id and finished.fence = rows.fence_before
