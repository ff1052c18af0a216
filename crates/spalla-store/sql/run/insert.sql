insert into run (
    id, work_item_id, project_id, attempt, takeovers, fence, ended_under, created_at, started_at, ended_at,
    exit_code, status, class, worker, usage, error, sandbox, result
)
:values(
    id, work_item_id, project_id, attempt, takeovers, fence, ended_under, created_at, started_at, ended_at,
    exit_code, status text, class text, worker text, usage text, error text, sandbox text, result text
)
