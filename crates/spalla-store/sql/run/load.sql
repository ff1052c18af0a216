select
    run.id, run.work_item_id, run.project_id, run.attempt, run.takeovers, run.fence, run.ended_under,
    run.created_at, run.started_at, run.ended_at, run.exit_code, run.status, run.class, run.worker, run.usage,
    run.error, run.sandbox, run.result
from :rows(id)
join run on run.id = rows.id
