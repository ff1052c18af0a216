select
    (select count(*) from ready),
    (select count(*) from delayed),
    (select count(*) from blocked),
    (select count(*) from leased where worker is null),
    (select count(*) from leased where worker is not null)
