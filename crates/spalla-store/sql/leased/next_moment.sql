select min(moment)
from (
    select min(due_at) as moment from delayed
    union all
    select min(until) as moment from leased
    union all
    select min(due_at) as moment from document where due_at is not null
) as moments
