select project_id, day, runs, tokens, cost_micro_usd
from usage
where day = :day and project_id < :before
order by project_id desc
limit :limit
