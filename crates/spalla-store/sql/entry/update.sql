update entry
set
    queue = rows.queue, priority = rows.priority, dependencies = rows.dependencies, enqueued_at = rows.enqueued_at
from :rows(work_item_id, queue, priority, dependencies, enqueued_at)
where entry.work_item_id = rows.work_item_id
