delete from finished
using :rows(work_item_id, fence)
where finished.work_item_id = rows.work_item_id and finished.fence = rows.fence
