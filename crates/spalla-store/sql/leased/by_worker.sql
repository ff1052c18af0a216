-- How many runs of which queue each worker holds, and nobody: of all, or of those alone that are held and need something.
select
    leased.queue, leased.worker, queue.project_id, queue.agent, queue.resources, count(*) as runs
from leased
join queue on queue.id = leased.queue
where cast(:all as bigint) = 1 or (leased.worker is not null and queue.resources <> '')
group by leased.queue, leased.worker, queue.project_id, queue.agent, queue.resources
order by leased.queue, leased.worker
