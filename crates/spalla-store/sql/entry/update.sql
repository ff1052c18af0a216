update entry
set
    queue = rows.queue, prio = rows.prio, priority = rows.priority, moved = rows.moved,
    dependencies = rows.dependencies, enqueued_at = rows.enqueued_at
from :rows(work_item_id, queue, prio, priority, moved text, dependencies, enqueued_at)
where entry.work_item_id = rows.work_item_id
