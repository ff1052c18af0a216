insert into dep (parent, child, "when")
select rows.parent, rows.child, rows.kind from :rows(parent, child, kind text)
