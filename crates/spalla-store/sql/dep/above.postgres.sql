select dep.parent, dep.child, dep."when"
from :rows(child)
join dep on dep.child = rows.child
