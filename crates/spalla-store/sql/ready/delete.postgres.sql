delete from ready
using :rows(queue, prio, work_item_id, fence)
where
    ready.queue = rows.queue and ready.prio = rows.prio and ready.work_item_id = rows.work_item_id
    and ready.fence = rows.fence
