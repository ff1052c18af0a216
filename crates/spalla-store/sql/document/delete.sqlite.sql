delete from document where (kind, id) = :row(kind text, id)
