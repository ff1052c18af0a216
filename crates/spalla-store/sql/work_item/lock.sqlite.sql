-- The one writer of a SQLite database needs no locks; the statement is there to be the same on both.
select work_item.id from :rows(id) join work_item on work_item.id = rows.id
