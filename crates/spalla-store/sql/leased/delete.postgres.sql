delete from leased
using :rows(work_item_id, run_id, fence)
where leased.work_item_id = rows.work_item_id and leased.run_id = rows.run_id and leased.fence = rows.fence
