select kind, id, owner, status, due_at, body from document where kind = :kind and owner = :row(owner) order by id
