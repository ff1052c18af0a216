-- The one writer of a SQLite database needs no locks; the statement is there to be the same on both.
select 1
