create table if not exists schema_migration (
  version bigint not null primary key,
  applied_at bigint not null
)
