select
    finished.work_item_id, finished.prio, finished.fence, finished.attempt, finished.failures, finished.status,
    finished.at
from finished
where :among(finished.work_item_id)
