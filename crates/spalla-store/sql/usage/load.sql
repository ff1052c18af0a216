select project_id, day, runs, tokens, cost_micro_usd from usage where project_id = :project_id and day = :day
