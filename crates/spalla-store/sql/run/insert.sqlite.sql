insert or fail into run (
    id, work_item_id, project_id, attempt, takeovers, fence, ended_under, created_at, started_at, ended_at,
    exit_code, status, class, worker, usage, error, result
)
select
    rows.id, rows.work_item_id, rows.project_id, rows.attempt, rows.takeovers, rows.fence, rows.ended_under,
    rows.created_at, rows.started_at, rows.ended_at, rows.exit_code, rows.status, rows.class, rows.worker,
    rows.usage, rows.error, rows.result
from :rows(
    id, work_item_id, project_id, attempt, takeovers, fence, ended_under, created_at, started_at, ended_at,
    exit_code, status text, class text, worker text, usage text, error text, result text
)
