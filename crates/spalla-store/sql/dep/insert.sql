insert into dep (parent, child, "when")
:values(parent, child, kind text)
