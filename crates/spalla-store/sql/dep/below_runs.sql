select dep.parent, dep.child, dep."when"
from :rows(run_id)
join leased on leased.run_id = rows.run_id
join dep on dep.parent = leased.work_item_id
