-- In the order of their ids, so that two who lock the same items wait for each other and not in a circle.
select work_item.id
from :rows(id)
join work_item on work_item.id = rows.id
order by work_item.id
for update of work_item
