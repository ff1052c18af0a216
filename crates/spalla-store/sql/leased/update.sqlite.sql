-- The rows are read twice, because `update … from` would copy them into a table of its own first.
with changed as (
    select * from :rows(
        work_item_id, run_id, fence_before, queue, prio, priority, fence, attempt, failures, worker text, until, takeovers,
        holds, questions, paused, started_at
    )
)
update leased
set (queue, prio, priority, fence, attempt, failures, worker, until, takeovers, holds, questions, paused,
    started_at) = (
    select queue, prio, priority, fence, attempt, failures, worker, until, takeovers, holds, questions, paused,
        started_at
    from changed
)
where (work_item_id, run_id, fence) = (select work_item_id, run_id, fence_before from changed)
