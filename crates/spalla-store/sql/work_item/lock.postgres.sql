-- Of an item with an entry the row of its place is locked; one without has only its own. In the order of their ids,
-- so that two who lock the same items wait for each other and not in a circle.
select work_item.id
from :rows(id)
join work_item on work_item.id = rows.id
where not exists (select 1 from entry where entry.work_item_id = work_item.id)
order by work_item.id
for update of work_item
