insert into usage (project_id, day, runs, tokens, cost_micro_usd)
:values(project_id, day, runs, tokens, cost_micro_usd)
on conflict (project_id, day) do update
set
    runs = usage.runs + excluded.runs, tokens = usage.tokens + excluded.tokens,
    cost_micro_usd = usage.cost_micro_usd + excluded.cost_micro_usd
