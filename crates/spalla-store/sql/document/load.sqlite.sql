select kind, id, owner, status, due_at, body from document where kind = :kind and :among(id)
