delete from open
using :rows(work_item_id)
where open.work_item_id = rows.work_item_id
