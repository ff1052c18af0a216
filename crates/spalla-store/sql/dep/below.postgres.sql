select dep.parent, dep.child, dep."when"
from :rows(parent)
join dep on dep.parent = rows.parent
