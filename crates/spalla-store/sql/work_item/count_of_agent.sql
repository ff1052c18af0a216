-- How many work items an agent has, as far as it is asked.
select count(*)
from (
    select work_item.id
    from work_item
    where work_item.agent = :agent and work_item.project_id between :first_project and :last_project
    limit :limit
) as counted
