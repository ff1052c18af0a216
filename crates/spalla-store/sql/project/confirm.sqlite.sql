-- Nobody else writes here, so that nothing has to be confirmed; the statement is there to be the same on both.
select 1 from :rows(id, version) where cast(:count as integer) > 0
