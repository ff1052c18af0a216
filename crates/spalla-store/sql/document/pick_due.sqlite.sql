select kind, id, owner, status, due_at, body from document where due_at <= :now order by due_at limit :limit
