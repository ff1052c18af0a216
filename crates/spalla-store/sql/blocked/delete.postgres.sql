delete from blocked
using :rows(work_item_id, fence)
where blocked.work_item_id = rows.work_item_id and blocked.fence = rows.fence
