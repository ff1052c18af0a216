delete from ready
where (queue, prio, work_item_id, fence) = :row(queue, prio, work_item_id, fence)
