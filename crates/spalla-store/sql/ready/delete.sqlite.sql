delete from ready
where :among(queue, prio, work_item_id, fence)
