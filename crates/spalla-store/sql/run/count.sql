select (select count(*) from leased) + (select count(*) from run)
