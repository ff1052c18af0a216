select dep.parent, dep.child, dep."when"
from dep
where dep.parent = :row(parent)
