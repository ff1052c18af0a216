select dep.parent, dep.child, dep."when"
from dep
where dep.child = :row(child)
