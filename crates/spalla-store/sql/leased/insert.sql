insert into leased (
    work_item_id, run_id, queue, prio, priority, fence, attempt, failures, worker, until, takeovers, holds,
    questions, paused, created_at, started_at
)
:values(
    work_item_id, run_id, queue, prio, priority, fence, attempt, failures, worker text, until, takeovers, holds,
    questions, paused, created_at, started_at
)
