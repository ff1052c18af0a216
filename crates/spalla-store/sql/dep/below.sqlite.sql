select dep.parent, dep.child, dep."when"
from dep
where :among(dep.parent)
