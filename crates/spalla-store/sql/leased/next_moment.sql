select min(moment)
from (
    select min(due_at) as moment from delayed
    union all
    select min(until) as moment from leased
) as moments
